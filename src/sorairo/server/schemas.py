"""What the main answers look like: OpenAI's objects with all their keys, and ours added at the end. No logic."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class ErrorBody(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorEnvelope(BaseModel):
    """Every answer from 400 on."""

    error: ErrorBody


class VideoError(BaseModel):
    code: str
    message: str


class Video(BaseModel):
    """OpenAI's 13 keys, then ours: tool, stage, seconds left, place in the queue, price, the owner's notes, whether
    others see it, and its prompt told in full."""

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: int
    created_at: int
    completed_at: int | None
    expires_at: int | None = None
    prompt: str | None
    size: str
    seconds: str
    remixed_from_video_id: str | None
    error: VideoError | None
    tool: str
    stage: str
    eta_seconds: int | None
    queue_position: int | None
    credits: int
    title: str
    folder: str
    favourite: bool
    publication: Literal["private", "pending", "judging", "published", "refused"]
    publication_reason: str
    expanded_prompt: str | None
    expansion_note: str


class FeedVideo(BaseModel):
    """A published clip as every account sees it; ``author``: the account's name."""

    id: str
    object: Literal["feed.video"] = "feed.video"
    author: str
    title: str
    prompt: str
    tool: str
    model: str
    size: str
    seconds: str
    published_at: int
    featured: bool


class Page(BaseModel):
    object: Literal["list"] = "list"
    first_id: str | None
    last_id: str | None
    has_more: bool


class FeedList(Page):
    data: list[FeedVideo]


class VideoList(Page):
    data: list[Video]


class VideoDeleted(BaseModel):
    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True


class Character(BaseModel):
    id: str
    object: Literal["character"] = "character"
    name: str
    description: str
    created_at: int
