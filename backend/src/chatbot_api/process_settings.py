"""The settings of the processes: how many there are, here and on other machines, how they end, and who may watch them."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class ProcessSettings(BaseSettings):
    """A part of Settings."""

    web_concurrency: int = Field(
        default=1, ge=1, le=64, description="Worker processes on this machine. More than 1 needs `LIMITS_URL`."
    )
    pin_workers: bool = Field(
        default=True, description="Each worker process keeps to processors of its own (Linux). `false`: the system chooses."
    )
    replicas: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Machines or containers you run. More than 1 needs `QDRANT_HOST`, `DATABASE_URL` and `LIMITS_URL`.",
    )
    drain_delay_s: float = Field(default=0, ge=0, le=60, description="Seconds readiness is off before connections are refused.")
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="Serve metrics at `/metrics` to who sends `Authorization: Bearer` with it. Empty: not there.",
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Serve metrics on a port of their own as well; of worker n at this + n. 0: not."
    )
    metrics_host: str = Field(default="127.0.0.1", min_length=1, description="Address that port listens on.")

    def process_problems(self, *, qdrant_host: str, database_url: str, counts_alone: bool) -> list[str]:
        """What several processes can't do with these settings, a sentence each.

        ``counts_alone``: limits or a budget are set, and each process would count in its own memory.
        """
        needed = (
            ("QDRANT_HOST", not qdrant_host, "the embedded index is a folder of one machine"),
            ("DATABASE_URL", not database_url, "the conversations' SQLite file is of one machine"),
        )
        problems = [
            f"REPLICAS={self.replicas} needs {name}: {why}." for name, missing, why in needed if missing and self.replicas > 1
        ]
        many = f"REPLICAS={self.replicas}" if self.replicas > 1 else f"WEB_CONCURRENCY={self.web_concurrency}"
        if counts_alone and max(self.replicas, self.web_concurrency) > 1:
            problems.append(
                f"{many} needs LIMITS_URL: each process would count limits and budgets for itself. Without a Redis or Valkey set "
                "RATE_LIMIT_PER_VISITOR=none, RATE_LIMIT_PER_ADDRESS=none and no daily budget, and limit at your proxy."
            )
        if self.web_concurrency > 1 and self.metrics_token.get_secret_value():
            problems.append(
                f"METRICS_TOKEN can't go with WEB_CONCURRENCY={self.web_concurrency}: /metrics would tell of one worker "
                "at a time. Use METRICS_PORT: worker n tells at that port + n."
            )
        if self.metrics_port + self.web_concurrency - 1 > 65535:
            problems.append(f"METRICS_PORT={self.metrics_port} leaves no port for each worker; choose a lower one.")
        return problems
