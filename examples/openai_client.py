"""OpenAI's own client against a Sorairo server: what a program that was written for Sora does, nothing changed.

    sorairo serve
    python examples/openai_client.py http://127.0.0.1:8437/v1 sorairo_…

Leaves clip.mp4 and longer.mp4 where it is run. The last part, an event told to this program, needs a server that runs
with --private-webhooks, as this machine's own address is a private one.
"""

from __future__ import annotations

import argparse
import http.server
import threading
import warnings
from typing import Any

from openai import BadRequestError, OpenAI

warnings.filterwarnings("ignore", "The Sora API is scheduled", DeprecationWarning)


def main(url: str, key: str, fast: bool = False) -> None:
    """``fast``: tiny clips, for tests."""
    client = OpenAI(base_url=url, api_key=key)
    sized: dict[str, Any] = {"size": "64x32", "seconds": "1"} if fast else {"size": "160x96", "seconds": "4"}
    ours: dict[str, Any] = {"seed": 7, **({"num_inference_steps": 4} if fast else {})}

    video = client.videos.create_and_poll(prompt="a red ball rolls in from the left", **sized, extra_body=ours)
    print(video.id, video.status, video.error or "")
    client.videos.download_content(video.id).write_to_file("clip.mp4")

    by_id: dict[str, Any] = {"video": {"id": video.id}, **ours}  # the client itself sends only uploads
    remix = client.videos.remix(video.id, prompt="a blue ball rolls in from the left", extra_body=ours)
    with open("clip.mp4", "rb") as clip:
        edit = client.videos.edit(prompt="a red cube slides in from the left", video=clip, extra_body=ours)
    longer = client.videos.extend(prompt="it rolls out again", seconds="1", video=b"", extra_body=by_id)
    loop = client.post("/videos/loops", body={**by_id, "seconds": 1}, cast_to=type(video))  # not OpenAI's
    for made in (remix, edit, longer, loop):
        done = client.videos.poll(made.id)
        print(done.id, done.to_dict()["tool"], done.status, f"{done.seconds} s")
    client.videos.download_content(longer.id).write_to_file("longer.mp4")

    print([listed.id for listed in client.videos.list(limit=2, order="asc")])
    with Receiver() as receiver:
        check_webhook(client, receiver)
    for made in (video, remix, edit, longer, loop):
        assert client.videos.delete(made.id).deleted


class Receiver(http.server.HTTPServer):
    """Takes one request, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.body, self.headers = b"", {}
        threading.Thread(target=self.handle_request, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert isinstance(self.server, Receiver)
            self.server.body = self.rfile.read(int(self.headers["content-length"]))
            self.server.headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass


def check_webhook(client: OpenAI, receiver: Receiver) -> None:
    """An endpoint is made, told something, believed, and taken away."""
    url = f"http://127.0.0.1:{receiver.server_port}/events"
    try:
        endpoint = client.webhooks.create(name="example", url=url, event_types=["video.completed"])
    except BadRequestError as error:
        print(f"no webhook was tried: {error.message}")
        return
    client.webhooks.test(endpoint.id, event_type="video.completed")
    event = client.webhooks.unwrap(receiver.body, receiver.headers, secret=endpoint.signing_secret)
    print(event.type, "the webhook's signature holds")
    client.webhooks.delete(endpoint.id)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("--fast", action="store_true", help="few steps")
    main(**vars(parser.parse_args()))
