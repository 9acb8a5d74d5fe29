#include "app/version.hpp"

namespace radscheduler::sidecar {

const char* version_text() {
    return RADSCHEDULER_VERSION;
}

} // namespace radscheduler::sidecar
