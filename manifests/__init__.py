"""Uploaded file lists (文件清单): from bytes on disk to rows. Knows nothing of rules, database or HTTP."""
