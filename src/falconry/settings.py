"""Every option, its default, its sentence, and where things lie on disk.

Settings come, strongest first, from arguments, environment variables (`FALCONRY_PORT=8000`), a `.env` file, a
`falconry.toml` and the defaults below. The lesson's own variables `HF_API_KEY`, `HF_API_FALCOM_BASE` and `PORT` are
understood too. docs/settings.md is generated from this file, and a test compares the two.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from falconry.metadata_address import is_metadata_address

BUILT_IN_MODEL = "eyas"
KVCacheType: TypeAlias = Literal["f16", "q8_0", "q4_0"]
FlashAttention: TypeAlias = Literal["auto", "on", "off"]
Speculation: TypeAlias = Literal["off", "ngram"]
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EndpointKind: TypeAlias = Literal[
    "auto", "openai", "tgi", "vllm", "sglang", "llama_cpp", "ollama", "lm_studio", "huggingface", "falconry"
]


def default_data_dir() -> Path:
    """Where conversations lie: `$XDG_DATA_HOME/falconry`, on macOS `~/Library/Application Support/falconry`."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "falconry"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "falconry"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "falconry"


def default_cache_dir() -> Path:
    """Where programs of this user keep what can be fetched again: `$XDG_CACHE_HOME`, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


class Endpoint(BaseModel):
    """A server elsewhere that runs a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="The name in the model picker.", min_length=1, max_length=200)
    url: str = Field(description="Base URL, with or without its /v1.")
    kind: EndpointKind = Field(
        "auto", description="What runs there. `auto` asks the server; `openai` is whatever speaks OpenAI's protocol."
    )
    api_key: SecretStr | None = Field(None, description="The key; for `basic`, the base64 text or `user:password`.")
    auth: Literal["bearer", "basic"] = Field("bearer", description="How the key is sent.")
    model: str | None = Field(
        None, description="The model's name there; by default all that it lists can be chosen, the first as `name`."
    )
    prompt_format: Literal["auto", "plain"] = Field(
        "auto", description="`plain` for models without a chat template: System:, User:, Assistant:."
    )
    context_length: int | None = Field(None, description="Tokens, where the server does not tell.", ge=128)

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an endpoint's URL starts with http:// or https://")
        if parts.username or parts.password:
            raise ValueError("put the key into api_key and not into the URL")
        if is_metadata_address(parts.hostname):
            raise ValueError("this is the address of a cloud's metadata, not of a model server")
        return value.rstrip("/")


class Settings(BaseSettings):
    """All options. Built once, in the command line or by a test, and handed down; nothing else reads them."""

    model_config = SettingsConfigDict(
        env_prefix="FALCONRY_",
        env_file=".env",
        env_ignore_empty=True,  # a blank in .env is one that nobody filled in
        env_nested_delimiter="__",
        toml_file="falconry.toml",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # Where Falconry listens
    host: str = Field(
        "127.0.0.1", description="Address to listen on. Any but loopback needs a user first: `falconry users add`."
    )
    port: int = Field(
        7860,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("FALCONRY_PORT", "PORT", "port"),
        description="Port to listen on; 0 takes a free one. When nobody chose it and it is taken, the next free one.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Further names, each `host` or `host:port`, under which browsers may reach Falconry. In a "
        "variable separated by commas.",
    )
    allowed_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Origins, each like `https://app.example.org`, whose pages may use the programs' routes. In a "
        "variable separated by commas.",
    )
    share: bool = Field(
        False,
        description="Open a public address, too, through Gradio's tunnel. It needs a user first: `falconry users add`.",
    )
    open_browser: bool = Field(True, description="Open the page in a browser where there is one.")
    pages: bool = Field(
        True, description="Serve the pages. Without them Falconry answers programs only, and starts 3 s faster."
    )
    language: Literal["auto", "en", "zh"] = Field(
        "auto", description="Language of the terminal, and of the page where the browser does not say."
    )

    # Where things lie
    data_dir: Path = Field(default_factory=default_data_dir, description="Folder for conversations and logs.")
    database_url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL, for instance `postgresql+psycopg://…`; by default SQLite in the data folder.",
    )

    # Which models
    model: str | None = Field(
        None,
        description="The model chosen at first; by default the first of `models`, then of `endpoints`, then eyas.",
    )
    models: Annotated[list[Path], NoDecode] = Field(
        default_factory=list, description="GGUF files, or folders of them; in a variable separated as in PATH."
    )
    endpoints: list[Endpoint] = Field(
        default_factory=list, description="Servers elsewhere: name, url, kind, api_key, auth, model, …"
    )
    hf_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("HF_API_KEY", "hf_api_key"),
        description="Key of the lesson's endpoint.",
    )
    hf_api_base: str | None = Field(
        None,
        validation_alias=AliasChoices("HF_API_FALCOM_BASE", "HF_API_FALCON_BASE", "hf_api_base"),
        description="URL of the lesson's text-generation-inference endpoint; it then appears by itself.",
    )
    strict_models: bool = Field(
        False,
        description="Refuse programs that ask for a model by a name that is not configured; otherwise they get the "
        "default model.",
    )
    canned: bool = Field(False, description="Offer the bot without a model, which picks one of three preset replies.")
    canned_rate: float = Field(50.0, gt=0, description="Tokens per second of the bot without a model.")
    canned_delay: float = Field(0.0, ge=0, description="Seconds before its first token.")
    canned_seed: int | None = Field(None, description="Makes its choices repeatable.")

    # Where models come from
    models_dir: Path | None = Field(
        None, description="Folder for the models that are fetched; by default `models` in the data folder."
    )
    resume_downloads: bool = Field(
        True, description="Go on by itself, at the start, with what was being fetched when Falconry ended."
    )
    download_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Hosts beside the hub from which a model may be fetched by its URL, each `host` or `host:port`, "
        "those in your own network included. In a variable separated by commas.",
    )
    hf_endpoint: str = Field(
        "https://huggingface.co",
        validation_alias=AliasChoices("FALCONRY_HF_ENDPOINT", "HF_ENDPOINT", "hf_endpoint"),
        description="URL of the model hub, for a mirror of it.",
    )
    hf_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("FALCONRY_HF_TOKEN", "HF_TOKEN", "hf_token"),
        description="Token for the hub, for models that ask for a licence to be accepted. It is sent to the hub only.",
    )
    hf_offline: bool = Field(
        False,
        validation_alias=AliasChoices("FALCONRY_HF_OFFLINE", "HF_HUB_OFFLINE", "hf_offline"),
        description="Never ask the hub for anything.",
    )

    find_models: bool = Field(
        True,
        description="Offer what other programs have fetched as well: Hugging Face's cache, Ollama, LM Studio, "
        "llama.cpp. Nothing is copied or changed there.",
    )
    hf_home: Path | None = Field(
        None,
        validation_alias=AliasChoices("FALCONRY_HF_HOME", "HF_HOME", "hf_home"),
        description="Hugging Face's folder; by default `huggingface` in the user's cache folder.",
    )
    hf_hub_cache: Path | None = Field(
        None,
        validation_alias=AliasChoices("FALCONRY_HF_HUB_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "hf_hub_cache"),
        description="Its cache of models; by default `hub` in that folder.",
    )
    ollama_models: Path | None = Field(
        None,
        validation_alias=AliasChoices("FALCONRY_OLLAMA_MODELS", "OLLAMA_MODELS", "ollama_models"),
        description="Ollama's models; by default those of this user, and of the system's service.",
    )
    llama_cache: Path | None = Field(
        None,
        validation_alias=AliasChoices("FALCONRY_LLAMA_CACHE", "LLAMA_CACHE", "llama_cache"),
        description="llama.cpp's cache; by default `llama.cpp` in the user's cache folder.",
    )

    # How local models run
    llama_server: Path | None = Field(
        None, description="A llama-server binary of your own (CUDA, Metal, …) in place of the built-in one."
    )
    context_length: int | None = Field(
        None,
        ge=256,
        description="Context window of local models in tokens; by default the model's own, at most 8192.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Threads of a local model; by default measured and documented in docs/design.md.",
    )
    slots: int = Field(2, ge=1, le=64, description="Replies that a local model writes at the same time.")
    prompt_cache_mib: int = Field(256, ge=0, description="Memory for the prompts of other conversations, in MiB.")
    kv_cache_type: KVCacheType = Field(
        "f16",
        description="How local models store keys and values of what they have read; `q8_0` takes about half the "
        "memory, `q4_0` a quarter, with some loss.",
    )
    flash_attention: FlashAttention = Field(
        "auto",
        description="The attention that needs less memory: `on`, `off`, or `auto`, which has it where it is also "
        "faster: not on processors, unless `kv_cache_type` needs it.",
    )
    speculation: Speculation = Field(
        "off",
        description="Guess the next tokens from what stands in the conversation already (`ngram`): faster where "
        "replies repeat much of it. The replies stay the same.",
    )
    draft_model: Path | None = Field(
        None,
        description="A small GGUF file that guesses the next tokens for the models of its family that are at least "
        "four times its size. The replies stay the same.",
    )
    queue_size: int = Field(
        256, ge=1, le=100_000, description="Requests that may wait for one local model; further ones are told to wait."
    )
    loaded_models: int | None = Field(
        None, ge=1, le=64, description="Local models in memory at the same time; by default as many as fit."
    )
    memory_limit_mib: int | None = Field(
        None, ge=64, description="Memory that local models may take together, in MiB; by default what the machine has."
    )
    unload_after: float = Field(
        30.0,
        ge=0,
        le=525_600,
        description="Minutes after which a local model that nobody uses is unloaded; 0 for never. Eyas stays.",
    )

    # Conversations
    titles: Literal["auto", "message"] = Field(
        "auto",
        description="Who gives a conversation its title: the model that answers, once it has (`auto`; the built-in one "
        "is too small for that), or only its first message (`message`).",
    )
    trash_days: float = Field(
        30.0, gt=0, le=36_500, description="Days after which a deleted conversation is removed for good."
    )

    # People
    session_days: float = Field(30.0, gt=0, le=3650, description="Days until a login ends.")
    user_concurrency: int = Field(
        8, ge=1, le=100_000, description="Requests for a model that one user may have open at the same time."
    )
    user_requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="Requests for a model that one user may make in a minute."
    )
    key_concurrency: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="The same for one API key or login, so that one program cannot take all that its owner may have.",
    )
    key_requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="Requests for a model that one API key or login may make in a minute."
    )

    share_links: bool = Field(
        False,
        description="Let users make links by which anybody can read one of their conversations. Without users there "
        "are none.",
    )

    # Limits
    max_body_mib: int = Field(16, ge=1, le=1024, description="Largest request that is read, in MiB.")
    max_import_mib: int = Field(
        100, ge=1, le=1024, description="Largest file of conversations that is imported, packed or unpacked, in MiB."
    )
    engine_timeout: float = Field(120.0, gt=0, description="Seconds of silence after which an endpoint counts as dead.")
    reply_timeout: float = Field(600.0, gt=0, description="Seconds after which a reply that nobody watches ends.")
    shutdown_grace: float = Field(
        10.0, ge=0, le=3600, description="Seconds that replies to programs have to end when Falconry is stopped."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="What the log tells.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or a JSON object a line.")

    @field_validator("allowed_hosts", "allowed_origins", "models", "download_hosts", mode="before")
    @classmethod
    def _split(cls, value: object, info: ValidationInfo) -> object:
        """A list in an environment variable or in .env is text; JSON is understood as well."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        separator = os.pathsep if info.field_name == "models" else ","
        return [part.strip() for part in value.split(separator) if part.strip()]

    @field_validator(
        "data_dir",
        "llama_server",
        "draft_model",
        "models_dir",
        "hf_home",
        "hf_hub_cache",
        "ollama_models",
        "llama_cache",
    )
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        """`~` is the home folder in a file too, where no shell expands it."""
        return value.expanduser() if value is not None else None

    @field_validator("hf_token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value is not None else ""
        if not text.isascii() or not all(33 <= ord(character) <= 126 for character in text):
            raise ValueError("it holds characters that no token has")
        return SecretStr(text) if text else None

    @field_validator("hf_endpoint")
    @classmethod
    def _hub(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("the hub's URL looks like https://huggingface.co")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def uses_flash_attention(self) -> bool:
        """Whether local models are run with it, where they can be; docs/design.md has the measurements."""
        if self.flash_attention != "auto":
            return self.flash_attention == "on"
        on_processor = self.llama_server is None and sys.platform != "darwin"
        return not on_processor or self.kv_cache_type != "f16"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'falconry.db'}"

    @property
    def models_folder(self) -> Path:
        """Where models that are fetched lie."""
        return self.models_dir or self.data_dir / "models"

    def all_endpoints(self) -> list[Endpoint]:
        """The configured endpoints, and the lesson's where its variables are set."""
        if not self.hf_api_base:
            return list(self.endpoints)
        name = "falcon-40b-instruct" if "falcon-40b-instruct" in self.hf_api_base else "hf-endpoint"
        lesson = Endpoint(name=name, url=self.hf_api_base, kind="tgi", api_key=self.hf_api_key, auth="basic")
        return [lesson, *self.endpoints]
