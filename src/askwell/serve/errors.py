"""Errors in OpenAI's form: a refused request, an unknown path, a body that is too large."""

from __future__ import annotations

import math

from aiohttp import web
from aiohttp.typedefs import Handler

_CODES = {404: "unknown_url", 405: "method_not_supported", 413: "request_too_large"}


class RequestRefused(Exception):
    """A client's request cannot be answered; the message tells the client what was expected."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.retry_after_s = status, param, code, retry_after_s


def error_body(message: str, *, kind: str, param: str | None = None, code: str | None = None) -> dict[str, object]:
    """Return an error as OpenAI's API writes it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_response(
    status: int, message: str, *, kind: str = "", param: str | None = None, code: str | None = None
) -> web.Response:
    """Return the response for an error; the default kind says whose fault it is."""
    kind = kind or ("invalid_request_error" if status < 500 else "server_error")
    return web.json_response(error_body(message, kind=kind, param=param, code=code), status=status)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals and aiohttp's own errors (404, 405, 413) into errors in OpenAI's form."""
    try:
        return await handler(request)
    except RequestRefused as refused:
        response = error_response(refused.status, str(refused), param=refused.param, code=refused.code)
        if refused.retry_after_s is not None:
            response.headers["Retry-After"] = f"{math.ceil(refused.retry_after_s)}"
        return response
    except web.HTTPException as error:
        response = error_response(error.status, _describe(request, error), code=_CODES.get(error.status))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response


def _describe(http: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPNotFound):
        served = "POST /v1/chat/completions, GET /v1/models, GET /health"
        return f"unknown request URL: {http.method} {http.path}; this server has {served}"
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{http.method} is not allowed on {http.path}; expected {' or '.join(sorted(error.allowed_methods))}"
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return f"the request is too large: {error.text}"
    return error.text or error.reason
