import json


async def test_the_document(client):
    schema = (await client.get("/openapi.json")).json()
    assert set(schema["paths"]) >= {"/v1/orders", "/v1/orders/{number}", "/v1/secrets"}
    assert not {"/healthz", "/readyz", "/metrics"} & set(schema["paths"])
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "basic"}
    assert schema["security"] == [{"bearer": []}, {"basic": []}]


async def test_every_operation_may_answer_a_problem(client):
    schema = (await client.get("/openapi.json")).json()
    operations = [op for path in schema["paths"].values() for op in path.values()]
    for operation in operations:
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert "422" not in operation["responses"]
    assert "HTTPValidationError" not in json.dumps(schema)
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    assert "create_order" in ids


async def test_the_problem_schema_is_the_problem(client):
    schema = (await client.get("/openapi.json")).json()
    problem = (await client.get("/nowhere")).json()
    assert set(schema["components"]["schemas"]["Problem"]["required"]) == set(problem)
