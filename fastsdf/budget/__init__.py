# SPDX-License-Identifier: MIT
"""Budgets of time and memory: what a fit will cost here, and settings that keep to a budget.

In: a prepared scan and limits. Out: a session with smaller settings, and the plan. Start reading at `plan`.
"""
