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
    """OpenAI's 13 keys, then ours: tool, stage, seconds left, place in the queue, price, and what the owner noted."""

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


class VideoList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


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
