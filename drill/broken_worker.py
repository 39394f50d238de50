"""A worker with `drill.broken_version` in place of what works."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import worker
from drill.broken_version import Broken

if __name__ == "__main__":
    vars(worker)["BackupCreation"] = Broken
    asyncio.run(worker.main())
