# SPDX-License-Identifier: MIT
"""The commands of the command line: one module per command; `app` declares their options.

Input: the user's arguments. Output: files, tables on the console, an exit code. Start reading at `fit`.
"""
