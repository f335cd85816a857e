"""Other extensions in front of the same view, where they are installed. None of them asks for a second factor here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from .measure import Environ
from .portal import ACCOUNTS, BASE_URL, PAGE, SECRET_KEY, account_id, bare

PATH: Final = "/record"


@dataclass(frozen=True)
class Peer:
    """A signed-in visitor of a portal behind another extension."""

    name: str
    app: Flask
    environ: Environ


def installed(folder: Path) -> list[Peer]:
    """The peers that this environment has.

    Args:
        folder: for their databases.
    """
    return [make(folder) for name, (module, make) in _PEERS.items() if importlib.util.find_spec(module)]


def missing() -> list[str]:
    """The names of those that it has not."""
    return [name for name, (module, _) in _PEERS.items() if not importlib.util.find_spec(module)]


def _flask_login(folder: Path) -> Peer:
    """Flask-Login with a loader on SQLAlchemy's ORM, as its documentation shows it."""
    from flask_login import LoginManager, UserMixin, login_required, login_user

    class Base(DeclarativeBase):
        pass

    class User(UserMixin, Base):
        __tablename__ = "users"
        id: Mapped[str] = mapped_column(primary_key=True)
        email: Mapped[str]

    engine = create_engine(f"sqlite:///{folder / 'flask-login.sqlite3'}")
    Base.metadata.create_all(engine)
    database = scoped_session(sessionmaker(engine))
    with Session(engine) as filling, filling.begin():
        filling.add_all(User(id=account_id(n), email=f"officine-{n}@portal.example") for n in range(ACCOUNTS))
    app = bare("flask-login")
    manager = LoginManager(app)
    manager.user_loader(lambda user_id: database.get(User, user_id))
    app.teardown_appcontext(lambda _error: database.remove())
    _guard(app, login_required)
    return Peer("Flask-Login", app, _signed_in(app, lambda: login_user(database.get(User, account_id(0)))))


def _flask_security(folder: Path) -> Peer:
    """Flask-Security with `auth_required(within=60)`: a sign-in of the last hour."""
    from flask_security import Security, SQLAlchemyUserDatastore, auth_required, login_user
    from flask_security.models import fsqla_v2
    from flask_sqlalchemy import SQLAlchemy

    app = bare("flask-security")
    app.config.update(
        SECRET_KEY=SECRET_KEY,
        SECURITY_PASSWORD_SALT="0" * 32,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'flask-security.sqlite3'}",
    )
    db = SQLAlchemy(app)
    fsqla_v2.FsModels.set_db_info(db)

    class Role(db.Model, fsqla_v2.FsRoleMixin):  # type: ignore[misc, name-defined]
        pass

    class User(db.Model, fsqla_v2.FsUserMixin):  # type: ignore[misc, name-defined]
        pass

    datastore = SQLAlchemyUserDatastore(db, User, Role)
    Security(app, datastore)
    with app.app_context():
        db.create_all()
        for number in range(ACCOUNTS):
            datastore.create_user(email=f"officine-{number}@portal.example", password="!")  # matches no password
        datastore.commit()
    _guard(app, auth_required("session", within=60))
    email = "officine-0@portal.example"
    return Peer("Flask-Security", app, _signed_in(app, lambda: login_user(datastore.find_user(email=email))))


_PEERS: Final[dict[str, tuple[str, Callable[[Path], Peer]]]] = {
    "Flask-Login": ("flask_login", _flask_login),
    "Flask-Security": ("flask_security", _flask_security),
}


def _guard(app: Flask, decorator: Callable[[Any], Any]) -> None:
    app.view_functions["record"] = decorator(app.view_functions["record"])


def _signed_in(app: Flask, log_in: Callable[[], object]) -> Environ:
    """Sign somebody in through a view of the app's own; the environ of a request with the cookies of that."""
    from flask import session

    @app.get("/log-in")
    def view() -> str:
        log_in()
        session["user"] = account_id(0)
        return ""

    client = app.test_client()
    assert client.get("/log-in", base_url=BASE_URL).status_code == 200
    environ = client.get(PATH, base_url=BASE_URL, headers=PAGE).request.environ
    return dict(_without_state(environ))


def _without_state(environ: Environ) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in environ.items() if not key.startswith(("werkzeug.", "flask.")))
