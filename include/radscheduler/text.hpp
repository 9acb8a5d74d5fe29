// Purpose: a decoded text that keeps the three answers an update message can give about a field.
// null: the HL7 null "" ("delete"); empty value: absent or sent as nothing ("no change"); else the value.
#pragma once

#include <string>

namespace radscheduler {

struct Text {
    bool null = false;
    std::string value;

    bool has_value() const { return !value.empty(); }
    bool absent() const { return !null && value.empty(); }
};

} // namespace radscheduler
