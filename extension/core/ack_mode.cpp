// The decision table of the acknowledgement modes.
#include "radscheduler/ack_mode.hpp"

#include "ascii.hpp"
#include "radscheduler/header.hpp"

namespace radscheduler {

namespace {

enum class Condition { empty, always, never, on_error, on_success };

Condition condition_of(std::string_view raw, std::string_view path, std::vector<Warning>& warnings) {
    const std::string word = upper(trim(raw));
    if (word.empty() || word == "\"\"") return Condition::empty;
    if (word == "AL") return Condition::always;
    if (word == "NE") return Condition::never;
    if (word == "ER") return Condition::on_error;
    if (word == "SU") return Condition::on_success;
    warnings.push_back({"ACK_CONDITION_UNKNOWN", std::string(path),
                        std::string(path) + " is not one of AL, NE, ER, SU (HL7 table 0155) and counts as empty; ask "
                                            "the sender to correct it."});
    return Condition::empty;
}

// AA, AE, AR as the accept acknowledgement of the same message: an application error means that it is stored.
AckCode accept_code(AckCode outcome) {
    switch (outcome) {
    case AckCode::accept:
    case AckCode::error:
    case AckCode::commit_accept:
        return AckCode::commit_accept;
    case AckCode::reject:
    case AckCode::commit_reject:
        return AckCode::commit_reject;
    case AckCode::commit_error:
        return AckCode::commit_error;
    }
    return AckCode::commit_error;
}

AckCode application_code(AckCode outcome) {
    switch (outcome) {
    case AckCode::accept:
    case AckCode::commit_accept:
        return AckCode::accept;
    case AckCode::reject:
    case AckCode::commit_reject:
        return AckCode::reject;
    case AckCode::error:
    case AckCode::commit_error:
        return AckCode::error;
    }
    return AckCode::error;
}

bool is_due(Condition condition, bool success) {
    switch (condition) {
    case Condition::always:
        return true;
    case Condition::on_error:
        return !success;
    case Condition::on_success:
        return success;
    case Condition::empty: // beside a condition that is set
    case Condition::never:
        return false;
    }
    return false;
}

} // namespace

AckDue ack_due(std::string_view msh15, std::string_view msh16, AckCode outcome) {
    AckDue due;
    const Condition accept = condition_of(msh15, "MSH-15", due.warnings);
    const Condition application = condition_of(msh16, "MSH-16", due.warnings);
    if (accept == Condition::empty && application == Condition::empty) {
        due.application = application_code(outcome);
        return due;
    }
    const AckCode stored = accept_code(outcome);
    if (is_due(accept, stored == AckCode::commit_accept)) due.accept = stored;
    const bool stops_here = due.accept && *due.accept != AckCode::commit_accept;
    const AckCode done = application_code(outcome);
    if (!stops_here && is_due(application, done == AckCode::accept)) due.application = done;
    return due;
}

AckDue ack_due(const Message& message, AckCode outcome) {
    return ack_due(header_field(message, 15), header_field(message, 16), outcome);
}

} // namespace radscheduler
