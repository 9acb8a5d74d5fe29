// What the daemon says about its own API: docs/openapi.yaml as it is, as JSON, and as a page for people. Made when the
// daemon is built (scripts/api-documents.py), so that it works without a network.
#pragma once

#include <string_view>

namespace radscheduler::sidecar::http::documents {

extern const std::string_view openapi_yaml;
extern const std::string_view openapi_json;
extern const std::string_view docs_page;
extern const std::string_view docs_policy; // its Content-Security-Policy: only its own style sheet

} // namespace radscheduler::sidecar::http::documents
