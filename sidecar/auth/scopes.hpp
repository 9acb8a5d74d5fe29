// What a credential may do: words "area:action". A route names the one it needs; what a credential holds decides. The
// names of the integration guide's ancestor ("read:appointments") are understood too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::sidecar::auth {

// Every scope there is, for checking what an administrator types.
const std::vector<std::string_view>& known_scopes();

// The canonical word: "read:appointments" to "appointments:read"; anything else as it is.
std::string canonical_scope(std::string_view scope);

// Whether `held` covers `needed`: the word itself, "area:*", or "admin:*" for everything. An empty need is covered by
// anybody.
bool covers(const std::vector<std::string>& held, std::string_view needed);

} // namespace radscheduler::sidecar::auth
