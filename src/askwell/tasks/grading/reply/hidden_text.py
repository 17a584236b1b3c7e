"""Remove what a reply holds beside the message to the user: thinking, chat-template tokens, and text after its end."""

from __future__ import annotations

import re

# Names of thinking blocks: <think>, <seed:think>, <thinking>, <chain_of_thought>, …
_NAMES = (
    r"(?:\w{1,12}:)?(?:(?:\w{1,12}_)?think(?:ing)?|(?:chain[_-]of[_-])?thoughts?|reason(?:ing)?|scratch_?pad|"
    r"reflection|analysis|rationale|cot|(?:inner[_-])?monologue|deliberation)"
)
_THOUGHT_MARK = re.compile(
    rf"<[ ]?(?P<tag>/?)[ ]?(?i:{_NAMES})(?:[ ][^<>\n]{{0,200}})?[ ]?>"  # most open models
    r"|\[(?P<square>/?)THINK(?:ING)?\]"  # Magistral
    r"|◁(?P<triangle>/?)think▷"  # Kimi
    r"|<[|｜](?:"  # Sky-T1, Command A, Apertus, Solar, Gemma
    r"(?P<opening>(?i:begin_of_|start_of_|start_)(?i:thought|thinking|reasoning)|(?i:think(?:ing)?(?:_start)?|thought)|"
    r"inner_prefix)"
    r"|(?P<closing>(?i:end_of_|end_)(?i:thought|thinking|reasoning)|/(?i:think(?:ing)?|thought)|(?i:think(?:ing)?_end)|"
    r"inner_suffix"
    r"|content))[|｜]>"
    r"|(?P<unused><unused94>|<\|channel>)thought\b|(?:<unused95>|<channel\|>)(?P<used>)"
)
# A gpt-oss transcript: <|channel|>final<|message|>Paris<|return|>
_HARMONY_TOKEN = re.compile(r"<\|(?:channel|message)\|>")
_HARMONY_MESSAGE = re.compile(
    r"(?:<\|channel\|>(?P<channel>[^<\n]{0,80}))?(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>"
    r"(?P<body>(?:(?!<\|(?:end|return|start|call|channel|message)\|>).)*)",
    re.DOTALL,
)
_HARMONY_END = re.compile(r"<\|return\|>|<\|start\|>(?:user|system)\b")
# The same transcript, decoded without its special tokens: "analysisThe user asks …assistantfinalParis"
_BARE_FINAL = re.compile(r"assistantfinal|(?<=\n)(?:assistant\n+)?final\n")
_BARE_ANALYSIS = re.compile(r"\s*(?:assistant\s*)?(?:analysis|commentary)(?=[^\W\d_a-z]|\n|[a-z\s]*to=)")

_ROLE = r"(?:assistant|model|chatbot|bot|ai|gpt)"
_TEMPLATE_MARK = (
    r"<[|｜][\w▁/.-]{2,40}[|｜]>|<(?:bos|eos|eod|eop|pad|start_of_turn|end_of_turn|end_of_utterance|end_of_text|"
    r"turn\||\|turn|s|/s)>"
    r"|\[/?INST\]|<<?/?SYS>>?|\[(?:EOS|BOS|PAD|SEP|CLS|end of text)\]"
)
_LEADING_TOKENS = re.compile(rf"(?:\s*(?:{_TEMPLATE_MARK})(?:[ ]*{_ROLE}(?=\s*\n|[ ]*<))?)+", re.IGNORECASE)
# A token in the middle of a reply ends it, except those that mark an answer
_END_TOKEN = re.compile(rf"(?!<s>)(?:{_TEMPLATE_MARK})", re.IGNORECASE)
_ANSWER_TOKEN = re.compile(
    r"<[|｜](?:(?P<box>(?P<open>begin)_of_box|end_of_box)|(?:begin_of_|start_of_|start_)(?:solution|response|"
    r"answer))[|｜]>",
    re.IGNORECASE,
)
# The next turn, decoded without its special tokens: "Paris.assistant\n\n", "Paris\nuser\nAnd Spain?"
_BARE_TURN = re.compile(r"(?<=[^\sA-Z-])assistant(?=\n\n)|\n[ \t]*(?:user|assistant|human)[ \t]*\n")
_GRANITE = re.compile(r"\A\s*Here is my thought process:.*?Here is my response:", re.DOTALL)


def remove_hidden(reply: str) -> str:
    """Return only the message to the user, without thinking, chat-template tokens, and text after an end token.

    An unclosed thinking block extends to the end of the reply (the model ran out of tokens while thinking). A closing
    tag alone ends a block that started in the prompt, so the text before it is removed.
    """
    text = _final_channel(reply) if "|>" in reply or "analysis" in reply or "assistantfinal" in reply else reply
    text = _GRANITE.sub("", text, count=1) if "my thought process:" in text[:100] else text
    return _until_end(_without_thinking(text)).strip()


def _final_channel(text: str) -> str:
    if _HARMONY_TOKEN.search(text):
        return _harmony_final(text)
    begins_hidden = _BARE_ANALYSIS.match(text)
    finals = [match for match in _BARE_FINAL.finditer(text) if begins_hidden or match[0] == "assistantfinal"]
    if finals:
        return text[finals[-1].end() :]
    only_analysis = begins_hidden is not None and text[begins_hidden.end() : begins_hidden.end() + 1].isalpha()
    return "" if only_analysis else text


def _harmony_final(text: str) -> str:
    if (end := _HARMONY_END.search(text)) and text[: end.start()].strip():
        text = text[: end.start()]
    messages = list(_HARMONY_MESSAGE.finditer(text))
    finals = [match for match in messages if (match["channel"] or "").strip().startswith("final")]
    finals = finals or [match for match in messages if match["channel"] is None]
    if finals:
        return finals[-1]["body"]
    return re.split(r"<\|[a-z]+\|>", text, maxsplit=1)[0]


def _without_thinking(text: str) -> str:
    kept: list[str] = []
    start, depth = 0, 0
    for mark in _THOUGHT_MARK.finditer(text):
        if not _closes(mark):
            if depth == 0:
                kept.append(text[start : mark.start()])
            depth += 1
        elif depth <= 1:
            if depth == 0:  # a closing tag alone: all text before it was thinking
                kept.clear()
            depth, start = 0, mark.end()
        else:
            depth -= 1
    return "\n".join([*kept, text[start:]] if depth == 0 else kept)


def _closes(mark: re.Match[str]) -> bool:
    return bool(mark["tag"] or mark["square"] or mark["triangle"] or mark["closing"] or mark["used"] is not None)


def _until_end(text: str) -> str:
    if "|" in text or "｜" in text:
        text = _ANSWER_TOKEN.sub(_answer_tag, text)
    if leading := _LEADING_TOKENS.match(text):
        text = text[leading.end() :]
    strike = text.find("<s>")
    for end in _END_TOKEN.finditer(text):
        if not (end[0] == "</s>" and 0 <= strike < end.start()):
            text = text[: end.start()]
            break
    if text.rstrip().endswith("###"):  # a common stop sequence
        text = text.rstrip().rstrip("#")
    turn = _BARE_TURN.search(text)
    return text[: turn.start()] if turn and text[: turn.start()].strip() else text


def _answer_tag(token: re.Match[str]) -> str:
    if token["box"]:
        return "<answer>" if token["open"] else "</answer>"
    return "\n"
