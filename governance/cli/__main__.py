"""`python -m governance.cli`."""

import sys

from governance.cli import main

sys.exit(main())
