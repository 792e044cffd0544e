from ground import watched
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    key: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "book"
    key: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_key: Mapped[int] = mapped_column(ForeignKey("author.key"))
    author: Mapped[Author] = relationship(back_populates="books")


engine = create_engine("sqlite://")
Base.metadata.create_all(engine)


def build() -> tuple[Session, list[Author]]:
    session = Session(engine)
    session.add_all(
        Author(name=f"a{i}", books=[Book(title=f"b{i}-{j}") for j in range(5)]) for i in range(100)
    )
    session.commit()
    authors = list(session.scalars(select(Author)))
    assert sum(len(author.books) for author in authors) == 500
    return session, authors


session, authors = watched(build)
assert sum(len(author.books) for author in authors) == 500
session.rollback()
print(len(authors))
