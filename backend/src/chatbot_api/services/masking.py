"""Text fit to be kept: e-mail addresses, phone numbers, card numbers and keys are replaced by what they were.

Masking errs on the side of too much: a stored question is read by the site's owner, and nobody misses a commit's hash in it.
"""

import re

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)")
_NAMED_SECRET = re.compile(
    r"(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)[\"']?\s*[:=]\s*[\"']?|bearer\s+)"
    r"(?!\[|(?:none|null|true|false)\b)[^\s\"',;<>]{4,}"
)
_KNOWN_KEYS = re.compile(
    r"\b(?:AIza[\w-]{20,}|AQ\.[\w-]{20,}|ya29\.[\w.-]{20,}|sk-[\w-]{16,}|[rps]k_(?:live|test)_\w{10,}|gh[pousr]_\w{16,}"
    r"|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|hf_\w{16,}|npm_\w{16,}|pypi-[\w-]{16,}"
    r"|dop_v1_\w{16,}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
"""Keys whose makers gave them a form: Google, OpenAI and Anthropic, Stripe, GitHub, GitLab, Slack, AWS, registries, JWT."""
_LONG_TOKEN = re.compile(r"(?<![\w+/=.-])(?=[\w+/=-]*[0-9])(?=[\w+/=-]*[A-Za-z])[A-Za-z0-9_+=-]{28,}(?![\w+/=-])")
"""Letters and digits without a break, longer than any word: a key of a form nobody knows, or a hash."""
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_DIGITS = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
_PHONES = re.compile(
    r"(?<![\w.+])(?:"
    r"(?:\+|00)[1-9][\d\s()/.-]{6,20}\d"  # international
    r"|\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}"  # North America
    r"|\(?0\d{1,5}\)?[\s/-](?:\d{2,}[\s/-]?){1,5}\d{2,}"  # national, with a trunk zero
    r")(?![\w])"
)
_FEWEST_PHONE_DIGITS, _MOST_PHONE_DIGITS = 7, 15
"""E.164 allows fifteen."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def masked(text: str) -> str:
    """The text with ``[email]``, ``[phone]``, ``[card]`` and ``[key]`` in place of personal data and secrets."""
    text = _PRIVATE_KEY.sub("[key]", text)
    text = _USERINFO.sub("[key]", text)
    text = _NAMED_SECRET.sub(r"\1[key]", text)
    text = _KNOWN_KEYS.sub("[key]", text)
    text = _EMAIL.sub("[email]", text)
    text = _DIGITS.sub(_card, text)
    text = _PHONES.sub(_phone, text)
    return _LONG_TOKEN.sub("[key]", text)


def _card(match: re.Match[str]) -> str:
    digits = [int(sign) for sign in match[0] if sign.isdigit()]
    doubled = [digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(reversed(digits))]
    return "[card]" if sum(doubled) % 10 == 0 else match[0]  # Luhn, ISO/IEC 7812-1


def _phone(match: re.Match[str]) -> str:
    count = sum(sign.isdigit() for sign in match[0])
    is_phone = _FEWEST_PHONE_DIGITS <= count <= _MOST_PHONE_DIGITS and not _DATE.fullmatch(match[0])
    return "[phone]" if is_phone else match[0]
