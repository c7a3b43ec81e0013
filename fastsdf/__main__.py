# SPDX-License-Identifier: MIT
"""``python -m fastsdf``: the same as the command ``fastsdf``."""

from fastsdf.commands.app import main

if __name__ == "__main__":
    main()
