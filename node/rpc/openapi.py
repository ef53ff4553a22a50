"""The OpenAPI 3.1 document, made from the routes and the structs that the server itself uses.

Nothing about a route is written here: what the document says of it stands in its `Route`, so the
two cannot part. Source: the OpenAPI Specification 3.1.1; its schemas are JSON Schema 2020-12.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import msgspec

from node.rpc.route import Access, Medium, NoBody, Octets, Route
from node.rpc.schemas import ErrorBody
from node.rpc.stream_schemas import FromClient, FromNode

Document: TypeAlias = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
REFUSALS: Final = {
    400: "The request has not the form that the route takes.",
    401: "There is no token, or it does not hold.",
    403: "The token does not allow this, or a foreign web page asked.",
    404: "There is nothing at this path.",
    405: "The path does not take this method.",
    408: "The request was not there in time, or answering it took too long.",
    409: "The node cannot do this in its present state.",
    410: "The state at this height is kept no longer, or is not there yet.",
    411: "The body came without a Content-Length.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    417: "The expectation is unknown.",
    421: "The Host header names another node.",
    422: "The chain refuses this; the code says which rule.",
    426: "Only a WebSocket is served here.",
    429: "The client asks more than its share; Retry-After says when to come back.",
    431: "The headers are too large.",
    500: "A bug or a damaged disk; the log of the node says more.",
    503: "The node has not the part that could answer, or not yet.",
}
_ALWAYS: Final = (400, 404, 408, 417, 421, 429, 431, 500, 503)
_WITH_BODY: Final = (411, 413, 415)
_WITH_TOKEN: Final = (401, 403)
_SOCKET_TEXT: Final = (
    "A WebSocket. Text messages carry JSON: the client's are FromClient, the node's FromNode. A "
    "client that reads too slowly is closed with code 4008 and should read the chain anew."
)


def write_document(routes: Iterable[Route], *, version: str) -> Document:
    """Return the document as JSON would be decoded."""
    shown = list(routes)
    kinds = [ErrorBody, FromClient, FromNode]
    kinds += [route.answer for route in shown if route.answer is not None]
    kinds += [route.body for route in shown if route.body not in (NoBody, Octets)]
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    paths: dict[str, Document] = {}
    for route in shown:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Hanse node",
            "version": version,
            "description": "The API of one node: read the chain, submit, operate.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "EdDSA; aud: chain id in hex; sub and kid: did:key; an hour at "
                    "most.",
                }
            },
        },
    }


def _operation(route: Route) -> Document:
    operation: Document = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": _responses(route),
    }
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.access is not Access.PUBLIC:
        operation["security"] = [{"token": []}]
        operation["description"] = f"For callers with access: {route.access.value}."
    if route.medium is Medium.SOCKET:
        operation["description"] = _SOCKET_TEXT
    if route.body is Octets:
        operation["requestBody"] = {
            "required": True,
            "content": {Medium.OCTETS.value: {"schema": {}}},
        }
    elif route.body is not NoBody:
        operation["requestBody"] = {
            "required": True,
            "content": {Medium.JSON.value: {"schema": _reference(route.body)}},
        }
    return operation


def _parameters(route: Route) -> list[Document]:
    _, components = msgspec.json.schema_components([route.asked], ref_template=_REF)
    described = components.get(route.asked.__name__, {})
    required = set(described.get("required", ()))
    parameters = []
    for name, schema in described.get("properties", {}).items():
        in_path = name in route.path_names
        parameters.append(
            {
                "name": name,
                "in": "path" if in_path else "query",
                "required": in_path or name in required,
                "schema": _present(schema),
            }
        )
    return parameters


def _present(schema: Document) -> Document:
    """Return the schema of a parameter that is there: absence is not written as null."""
    kept: Document = {key: value for key, value in schema.items() if key != "default"}
    choices: list[Document] = [one for one in kept.pop("anyOf", ()) if one != {"type": "null"}]
    if not choices:
        return kept | ({"default": schema["default"]} if schema.get("default") else {})
    return kept | choices[0]


def _responses(route: Route) -> Document:
    if route.medium is Medium.SOCKET:
        success: Document = {"description": "The protocol changes to WebSocket."}
        statuses: tuple[int, ...] = (*_ALWAYS, 401, 403, 426)
    else:
        schema = {} if route.answer is None else _reference(route.answer)
        if route.medium is Medium.METRICS:
            schema = {"type": "string"}
        content = {route.medium.value: {"schema": schema}}
        success = {"description": route.summary, "content": content}
        statuses = _ALWAYS
    if route.body is not NoBody:
        statuses += _WITH_BODY
    if route.access is not Access.PUBLIC or route.method != "GET":
        statuses += _WITH_TOKEN
    responses: Document = {str(route.status): success}
    for status in sorted({*statuses, *route.refusals}):
        responses[str(status)] = {
            "description": REFUSALS[status],
            "content": {Medium.JSON.value: {"schema": _reference(ErrorBody)}},
        }
    return responses


def _reference(kind: type) -> Document:
    return {"$ref": _REF.format(name=kind.__name__)}
