# SPDX-License-Identifier: MIT
"""The command line: one module for each command, behind the options of `app`.

In: what the user typed. Out: files, a table, an exit code. Start reading at `fit`.
"""
