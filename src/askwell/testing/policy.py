"""The contract of `Policy`."""

from __future__ import annotations

from askwell.core.protocols import Policy

QUERIES = (
    "Sum 3 and 4.",
    "Which weighs more, 5 apples or 2 stones?",
    "How many of the numbers 3, 8 and 10 are even?",
    "Sum 3 and 4.",
    "",
    "数 \U0001f600 ü",
    "word " * 400,
)


class PolicyContract:
    """Inherit this class and give it a fixture `policy`."""

    def test_each_query_gets_one_prompt(self, policy: Policy) -> None:
        assert len(policy.prompts_for(QUERIES)) == len(QUERIES)
        assert policy.prompts_for([]) == []

    def test_the_same_queries_get_the_same_prompts(self, policy: Policy) -> None:
        assert policy.prompts_for(QUERIES) == policy.prompts_for(QUERIES)

    def test_prompts_are_in_the_order_of_the_queries(self, policy: Policy) -> None:
        prompts = policy.prompts_for(QUERIES)
        assert policy.prompts_for(QUERIES[::-1]) == prompts[::-1]
        assert prompts[0] == prompts[3], "equal queries got different prompts"
