// Reading PID.
#include "patient.hpp"

#include "../ascii.hpp"
#include "identifiers.hpp"
#include "person_name.hpp"
#include "phone.hpp"
#include "radscheduler/timestamp.hpp"

namespace radscheduler::siu {

namespace {

constexpr std::size_t kPatientId = 2;
constexpr std::size_t kIdentifierList = 3;
constexpr std::size_t kAlternateId = 4;
constexpr std::size_t kName = 5;
constexpr std::size_t kBirth = 7;
constexpr std::size_t kSex = 8;
constexpr std::size_t kDeathTime = 29;
constexpr std::size_t kDeathIndicator = 30;

void read_name(Context& context, const SegmentFields& pid, SiuPatient& patient) {
    const std::size_t repetition = preferred_name(pid, kName);
    if (repetition == 0) {
        if (pid.field(kName).find_first_not_of(pid.delimiters().repetition) != std::string_view::npos) {
            context.warn("NAME_IS_ALIAS", "PID-5", "PID-5 holds only an alias or pseudonym; no name was read.");
        }
        return;
    }
    PersonName name = read_xpn(pid, kName, repetition);
    patient.display = {pid.is_null(kName), name.display()};
    patient.family = std::move(name.family);
    patient.given = std::move(name.given);
    patient.middle = std::move(name.middle);
    patient.suffix = std::move(name.suffix);
    patient.prefix = std::move(name.prefix);
}

Text birth_date(Context& context, const SegmentFields& pid) {
    Text text = pid.text(kBirth);
    if (!text.has_value()) return text;
    Result<Timestamp> stamp = Timestamp::parse(text.value);
    if (!stamp) {
        context.repair("BAD_BIRTH_DATE", "PID-7", "PID-7 is not a date", "the birth date was left out.");
        return {};
    }
    if (!stamp->has_day()) {
        context.warn("BIRTH_DATE_PARTIAL", "PID-7", "PID-7 names no day; the birth date was left out.");
        return {};
    }
    stamp->precision = Timestamp::Precision::day;
    return {false, stamp->iso()};
}

std::optional<bool> deceased(const SegmentFields& pid) {
    const std::string indicator = upper(pid.text(kDeathIndicator).value);
    if (indicator == "Y" || pid.text(kDeathTime).has_value()) return true;
    if (indicator == "N") return false;
    return std::nullopt;
}

} // namespace

SiuPatient read_patient(Context& context, const SegmentPlan& plan) {
    const SegmentFields& pid = plan.pid;
    SiuPatient patient;
    patient.identifiers = read_identifiers(context, "PID", pid, kIdentifierList, {kPatientId, kAlternateId});
    read_name(context, pid, patient);
    patient.birth_date = birth_date(context, pid);
    patient.sex = pid.text(kSex);
    read_phones(pid, patient);
    patient.deceased = deceased(pid);
    patient.notes = plan.patient_notes;
    return patient;
}

} // namespace radscheduler::siu
