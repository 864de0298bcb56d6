"""Checks beside the verdict: each a number with a named threshold, a reason, and "not applicable" as an outcome."""

from __future__ import annotations

from bridle.diagnosis.check_context import CheckContext, StandIn
from bridle.diagnosis.check_rules import RULES
from bridle.diagnosis.verdict import Check

__all__ = ["RULES", "CheckContext", "StandIn", "run_checks"]


def run_checks(context: CheckContext) -> tuple[Check, ...]:
    """Run all diagnostics on what is known of one model.

    Parameters
    ----------
    context : CheckContext
        Only the verdict is required.

    Returns
    -------
    tuple of Check
        One for every rule, in the order of their codes.
    """
    return tuple(rule.run(context) for rule in RULES)
