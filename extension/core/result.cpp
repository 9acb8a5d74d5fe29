// Names of the error codes.
#include "radscheduler/result.hpp"

namespace radscheduler {

std::string_view error_name(ErrorCode code) {
    switch (code) {
    case ErrorCode::empty_input:
        return "empty_input";
    case ErrorCode::nul_byte:
        return "nul_byte";
    case ErrorCode::no_header:
        return "no_header";
    case ErrorCode::bad_delimiters:
        return "bad_delimiters";
    case ErrorCode::bad_path:
        return "bad_path";
    case ErrorCode::bad_timestamp:
        return "bad_timestamp";
    case ErrorCode::bad_json:
        return "bad_json";
    case ErrorCode::bad_edit:
        return "bad_edit";
    case ErrorCode::bad_fragment:
        return "bad_fragment";
    }
    return "unknown";
}

} // namespace radscheduler
