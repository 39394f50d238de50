"""Certificates of backups, set as PDF."""
