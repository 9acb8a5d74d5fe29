#include "app/version.hpp"

namespace radscheduler::sidecar {

const char* version_text() {
    return RADSCHEDULER_VERSION;
}

const char* commit_text() {
    return RADSCHEDULER_COMMIT;
}

} // namespace radscheduler::sidecar
