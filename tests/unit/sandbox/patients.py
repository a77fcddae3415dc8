"""Patients of a sandbox: made by its requests, and counted."""

import httpx

PATIENT = {"resourceType": "Patient", "active": True}


async def create(http, **more):
    answer = await http.post("/Patient", json={**PATIENT, **more})
    assert answer.status_code == 201
    return answer.json()


async def count(http):
    return (await http.get("/Patient?_summary=count")).json()["total"]


def total(sandbox):
    return httpx.get(f"{sandbox.url}/Patient?_summary=count").json()["total"]


async def three_patients(http):
    return [(await create(http))["id"] for _ in range(3)]
