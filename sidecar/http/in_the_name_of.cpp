#include "http/in_the_name_of.hpp"

namespace radscheduler::sidecar::http {

std::vector<db::Param> in_the_name_of(const auth::Principal& who, const std::string& trace_id) {
    std::vector<db::Param> params;
    for (const auto* text : {&who.site, &who.name, &who.login, &who.version, &trace_id}) {
        params.push_back(text->empty() ? db::Param::null() : db::Param::text(*text));
    }
    return params;
}

} // namespace radscheduler::sidecar::http
