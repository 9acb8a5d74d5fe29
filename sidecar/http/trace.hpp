// The trace a request belongs to (W3C Trace Context): taken from its traceparent header, or begun here.
#pragma once

#include <string>
#include <string_view>

namespace radscheduler::sidecar::http {

// The trace-id, 32 hexadecimal digits: that of the header when it is well formed, else a new one.
std::string trace_id_of(std::string_view traceparent);

} // namespace radscheduler::sidecar::http
