# SPDX-License-Identifier: MIT
"""Trains a field on a prepared scan: samples, losses, schedules, steps, checkpoints.

In: `fastsdf.prepare.prepared_scan.PreparedScan`. Out: `session.Session` with a trained field. Start reading at `step`.
"""
