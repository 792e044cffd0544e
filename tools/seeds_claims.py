"""What the five documents claim, one by one, and what leakscan measured of each."""

from __future__ import annotations

from seeds_claims_memory import maps_document, native_document
from seeds_claims_streams import analysis_document, fixes_document, tests_document
from seeds_page import Streams
from seeds_page_maps import Maps
from seeds_page_native import Native
from seeds_said import Judged
from seeds_text import Page, table


def claims_page(streams: Streams, maps: Maps, native: Native) -> Page:
    documents = {
        "The potential fixes": fixes_document(streams),
        "The analysis": analysis_document(streams),
        "The tests": tests_document(streams),
        "The session maps": maps_document(maps),
        "The native leak": native_document(native),
    }
    every = [said for document in documents.values() for said in document]
    counts = ", ".join(f"{sum(said.judged is each for said in every)} {each}" for each in Judged)
    parts = [f"{len(every)} claims: {counts}."]
    for title, document in documents.items():
        rows = [[said.claim, said.judged, said.measured, said.where] for said in document]
        parts += [f"## {title}", table(["the document says", "it is", "measured", "where"], rows)]
    wrong = [f"{said.claim}: {said.measured}" for said in every if not said.holds]
    return Page("the-documents.md", "\n\n".join(parts) + "\n", wrong)
