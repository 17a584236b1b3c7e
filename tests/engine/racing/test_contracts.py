"""Every racing rule keeps the contract."""

from __future__ import annotations

import pytest

from askwell.engine.racing import RACING_RULES, RacingRule
from askwell.testing import RacingRuleContract


@pytest.mark.parametrize("name", sorted(RACING_RULES), scope="class")
class TestRacingRules(RacingRuleContract):
    @pytest.fixture
    def rule(self, name: str) -> RacingRule:
        return RACING_RULES[name]()
