# SPDX-License-Identifier: MIT
"""From a prepared scan to a trained field: samples, losses, schedules, steps, checkpoints.

In: `fastsdf.prepare.prepared_scan.PreparedScan`. Out: `session.Session` with a trained field. Start reading at `step`.
"""
