# SPDX-License-Identifier: MIT
"""Budgets of time and memory: predicts what a fit costs and chooses settings that keep within a budget.

Input: a prepared scan and limits. Output: a session with smaller settings, and the plan. Start reading at `plan`.
"""
