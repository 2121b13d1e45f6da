"""A pod is made, a command runs in it with its output shown live, and the pod is deleted: with nothing but podq's API.

    PODQ_URL=http://127.0.0.1:8750 PODQ_TOKEN=podq_... python3 exec.py [IMAGE]      (needs httpx)
"""

import base64
import json
import os
import sys
import time
import uuid

import httpx

token = os.environ.get("PODQ_TOKEN")
api = httpx.Client(
    base_url=os.environ.get("PODQ_URL", "http://127.0.0.1:8750"),
    headers={"Authorization": f"Bearer {token}"} if token else {},
    timeout=httpx.Timeout(30, read=90),
)


def ask(method: str, path: str, **options) -> dict:
    """One request. A refusal is an exception that says why: errors are problem details with a stable code."""
    response = api.request(method, path, **options)
    if response.is_error:
        problem = response.json()
        raise RuntimeError(f"{problem['code']}: {problem['detail']}")
    return response.json()


def enqueue(method: str, path: str, **options) -> str:
    """Returns the job's id. Under the same key a request is the same job, so it may be sent again when its answer got lost."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    for _ in range(3):
        try:
            return ask(method, path, headers=headers, **options)["id"]
        except httpx.TransportError:
            time.sleep(1)
    raise RuntimeError("podq cannot be reached")


def ended(job_id: str) -> dict:
    """Waits for a job's end: the answer is held until then, for half a minute at a time."""
    while True:
        job = ask("GET", f"/v1/jobs/{job_id}", params={"wait": "30s"})
        if job["state"] not in ("queued", "running"):
            return job


def show(job_id: str) -> None:
    """Writes a command's output while it runs. A connection that is cut is taken up again at the byte where it was."""
    at = {"stdout": 0, "stderr": 0}
    while True:
        try:
            with api.stream("GET", f"/v1/jobs/{job_id}/output", params={**at, "follow": "true"}) as response:
                response.raise_for_status()
                for line in response.iter_lines():
                    piece = json.loads(line)
                    data = base64.b64decode(piece["data"])
                    at[piece["stream"]] = piece["offset"] + len(data)
                    out = getattr(sys, piece["stream"]).buffer
                    out.write(data)
                    out.flush()
            return
        except httpx.TransportError:
            time.sleep(1)


def main() -> None:
    image = sys.argv[1] if len(sys.argv) > 1 else "localhost/workspace:1"
    owner = "python-example"
    made = ended(enqueue("POST", "/v1/pods", json={"owner": {"project": owner}, "image": image}))
    if made["state"] != "succeeded":
        raise SystemExit(f"no pod: {made['error']['code']}: {made['error']['message']}")
    print(f"pod {made['result']['podName']} is {made['result']['status']}", flush=True)

    command = "for n in 1 2 3; do echo line $n; sleep 0.2; done; echo oops >&2; exit 3"
    job_id = enqueue("POST", f"/v1/pods/project/{owner}/exec", json={"command": command, "timeoutMs": 60_000})
    show(job_id)
    done = ended(job_id)
    print(f"{done['state']}, exit code {done['result']['exitCode']}", flush=True)

    gone = ended(enqueue("DELETE", f"/v1/pods/project/{owner}"))
    print(f"delete has {gone['state']}", flush=True)


if __name__ == "__main__":
    main()
