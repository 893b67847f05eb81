"""The ASGI application: Stripe's API, the pages, the control API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from stripe_emulator.admin import control_api, simulation_api
from stripe_emulator.api import openapi, versions
from stripe_emulator.api.asgi import Api
from stripe_emulator.api.host_guard import HostGuard
from stripe_emulator.api.pipeline import RequestPipeline
from stripe_emulator.base.config import API_VERSION, Config
from stripe_emulator.base.errors import ApiError, StripeError
from stripe_emulator.base.ids import new_id
from stripe_emulator.emulator import Emulator
from stripe_emulator.stripe_cli import sockets
from stripe_emulator.web import checkout_page
from stripe_emulator.web.dashboard_layout import not_found_page


def create_app(config: Config) -> FastAPI:
    """Return the application of one emulator; `app.state.emulator` starts and stops with it.

    Raises:
        ValueError: other machines could reach the host without being allowed, or the API version
            is unknown.
    """
    config.check_hosts()
    if config.api_version not in versions.KNOWN:
        raise ValueError(f"{config.api_version} is no version of Stripe's API.")
    emulator = Emulator(config)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        emulator.start()
        yield
        emulator.stop()

    app = FastAPI(
        title="Stripe emulator", version=API_VERSION, lifespan=running, redirect_slashes=False
    )
    app.state.emulator = emulator
    account = emulator.account
    app.add_middleware(HostGuard, api=Api(RequestPipeline(account)), account=account)
    app.include_router(control_api.router)
    app.include_router(simulation_api.router)
    app.include_router(checkout_page.router)
    app.include_router(sockets.router)
    app.add_exception_handler(StripeError, _stripe_error)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(Exception, _unforeseen)
    openapi.describe(app)
    return app


def _stripe_error(_: Request, error: Exception) -> JSONResponse:
    """Render an error of the control API in the shape of Stripe's API."""
    assert isinstance(error, StripeError)
    return JSONResponse(error.body(new_id("request")), error.status, error.headers)


async def _not_found(request: Request, error: Exception) -> Response:
    """Return the 404 page to a browser, FastAPI's JSON to any other client."""
    assert isinstance(error, HTTPException)
    is_page = "text/html" in request.headers.get("accept", "")
    if error.status_code != HTTPStatus.NOT_FOUND or not is_page:
        return await http_exception_handler(request, error)
    return not_found_page(request.app.state.emulator)


def _unforeseen(_: Request, __: Exception) -> JSONResponse:
    """Return a Stripe error (500) for an unexpected exception, which the server logs."""
    error = ApiError("The emulator failed; its log says why.")
    return JSONResponse(error.body(new_id("request")), error.status)
