"""The settings of the limits: how often somebody may ask, how much at once, what a day may cost, and who may ask at all."""

from re import fullmatch

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from chatbot_api.models.quotas import quotas_of

SHORTEST_SITE_KEY = 16


class LimitSettings(BaseSettings):
    """A part of Settings."""

    rate_limit_per_visitor: str = Field(
        default="20/minute;300/day", description="How often a visitor may ask. `none`: as often as they like."
    )
    rate_limit_per_address: str = Field(
        default="60/minute;2000/day", description="How often an IP address may ask. `none`: as often as it likes."
    )
    limits_url: SecretStr = Field(
        default=SecretStr(""), description="`redis://:password@host:6379/0`: several processes count there. Empty: in memory."
    )
    max_answers_in_flight: int = Field(default=64, ge=1, le=10000, description="Answers at once; more are refused with 503.")
    daily_token_budget: int = Field(
        default=0, ge=0, description="Tokens of the model a day (UTC); then answers are extractive. 0: no limit."
    )
    daily_cost_budget_usd: float = Field(
        default=0.0, ge=0, description="US dollars for the model a day (UTC), by the prices below. 0: no limit."
    )
    price_input_usd_per_mtok: float = Field(
        default=0.3, ge=0, description="Price of a million input tokens. Default: gemini-3.5-flash-lite, November 2026."
    )
    price_output_usd_per_mtok: float = Field(
        default=2.5, ge=0, description="Price of a million output tokens. Default: gemini-3.5-flash-lite, November 2026."
    )
    trusted_proxy_hops: int = Field(
        default=0, ge=0, le=10, description="Reverse proxies in front that append to X-Forwarded-For. 0: the header is ignored."
    )
    site_key: SecretStr = Field(
        default=SecretStr(""), description="Asking needs the header X-Site-Key with this value. Empty: no key."
    )

    @field_validator("limits_url", "site_key", mode="before")
    @classmethod
    def _strip_secret(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    def limit_problems(self) -> list[str]:
        """What contradicts itself or can't be read, a sentence each."""
        problems: list[str] = []
        limits = {
            "RATE_LIMIT_PER_VISITOR": self.rate_limit_per_visitor,
            "RATE_LIMIT_PER_ADDRESS": self.rate_limit_per_address,
        }
        for name, notation in limits.items():
            try:
                quotas_of(notation)
            except ValueError as error:
                problems.append(f"{name}={notation} {error}.")
        if self.limits_url.get_secret_value() and not self.limits_address:
            problems.append("LIMITS_URL is no redis://, rediss://, valkey://, valkeys:// or unix:// address.")
        if not fullmatch("[!-~]*", self.site_key.get_secret_value()):
            problems.append("SITE_KEY holds white space or other characters that a header can't bear; make another.")
        if 0 < len(self.site_key.get_secret_value()) < SHORTEST_SITE_KEY:
            problems.append(f"SITE_KEY is shorter than {SHORTEST_SITE_KEY} characters; make a long random one.")
        priceless = not (self.price_input_usd_per_mtok or self.price_output_usd_per_mtok)
        if self.daily_cost_budget_usd and priceless:
            problems.append("DAILY_COST_BUDGET_USD needs prices, and both are 0; set PRICE_INPUT_USD_PER_MTOK and its sister.")
        return problems

    @property
    def limits_address(self) -> str:
        """LIMITS_URL as the client library writes it; empty when there is none, or it is not one."""
        scheme, separator, rest = self.limits_url.get_secret_value().partition("://")
        known = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
        return f"{known[scheme]}{separator}{rest}" if separator and rest and scheme in known else ""

    @property
    def counts_alone(self) -> bool:
        """Whether there is something to count, and each process would count it in its own memory."""
        unlimited = {self.rate_limit_per_visitor.strip().lower(), self.rate_limit_per_address.strip().lower()} == {"none"}
        has_budget = bool(self.daily_token_budget or self.daily_cost_budget_usd)
        return not self.limits_url.get_secret_value() and (has_budget or not unlimited)
