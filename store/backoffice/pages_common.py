"""What every page of the back office uses: who is signed in, actions, messages, HTML."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, Literal, ParamSpec

import streamlit as st

from store.backoffice import auth
from store.backoffice.sign_in import ADDRESSES, with_parameters
from store.backoffice.state import BACK_OFFICE
from store.core.errors import StoreError
from store.web import buyer_cookie, rendering
from store.web.formatting import LocaleFormatter
from store.web.rendering import literal

P = ParamSpec("P")
Tone = Literal["good", "warning"]
MESSAGE = "backoffice_message"


def reader() -> LocaleFormatter:
    return LocaleFormatter.of(st.context.locale, st.context.timezone)


def current_operator() -> auth.OperatorSession:
    """The operator's session of this browser at this moment. Raises NotSignedIn."""
    name = buyer_cookie.cookie_name(auth.COOKIE, st.context.headers.get("Host", ""))
    return BACK_OFFICE.sessions.session(st.context.cookies.get(name, ""))


def require_operator() -> auth.OperatorSession:
    """`current_operator` for a page or fragment; without one, it links to sign in and stops."""
    try:
        return current_operator()
    except auth.NotSignedIn:
        put("not_signed_in")
        st.stop()


@dataclass
class OperatorAction(Generic[P]):
    """A change that an operator makes. It checks the session at the moment it is called.

    `act` takes the operator's name and what the widget passes; it returns the sentence that says
    what was done. Every callback that changes something is one of these, so a tab that is still
    open after signing out changes nothing.
    """

    act: Callable[Concatenate[str, P], str]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """For callbacks: the result or the error is shown as the page's message."""
        try:
            show_next(self.run(*args, **kwargs))
        except StoreError as error:
            show_next(error.for_operator, "warning")

    def run(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """For forms, which show an error at its field. Raises NotSignedIn and what `act` raises."""
        result = self.act(current_operator().name, *args, **kwargs)
        BACK_OFFICE.health.expire()
        return result


def show_next(text: str, tone: Tone = "good") -> None:
    """Show a message with the next run of the page."""
    st.session_state[MESSAGE] = (text, tone)


def show_message() -> None:
    """Show the result of the last action once, as a toast and on the page."""
    if message := st.session_state.pop(MESSAGE, None):
        text, tone = message
        st.toast(literal(text), icon=":material/check:" if tone == "good" else ":material/error:")
        put("notice", "storefront", sentence=text, tone=tone)


def link_to_order(order_number: str) -> str:
    return with_parameters(ADDRESSES["orders"], {"order": order_number})


def order_column() -> Any:
    """A column of a table whose values are `link_to_order`; it shows the number."""
    return st.column_config.LinkColumn(display_text=r"order=(.+)$")


def put(macro: str, template: str = "back_office", *, fits: bool = False, **values: Any) -> None:
    """Write one macro of a template; values are escaped."""
    if html := rendering.render(template, macro, reader(), **values).strip():
        st.html(rendering.Html(html), width="content" if fits else "stretch")
