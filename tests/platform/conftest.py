"""The town and the ward of other folders' tests serve here as well."""

import sys
from pathlib import Path

for folder in ("claims", "delegation"):
    sys.path.append(str(Path(__file__).parents[1] / folder))
