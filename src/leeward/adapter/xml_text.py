"""XML in answers, read without anything that a document could ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeward.json_text import Undecodable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def document_in(body: bytes) -> Element:
    """Return the root of an XML document, with names that have no namespace.

    A document type is refused: entities are what makes XML dangerous, and no service sends one.

    Raises:
        Undecodable: it is not such a document.
    """
    from xml.etree.ElementTree import ParseError, fromstring

    if b"<!" in body:
        raise Undecodable("the XML has a document type, or another declaration")
    try:
        root = fromstring(body)  # noqa: S314 - without a document type there are no entities
    except (ParseError, ValueError, LookupError) as error:
        raise Undecodable("the body is not XML") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
