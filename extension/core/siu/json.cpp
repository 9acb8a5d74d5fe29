// An SiuReading as JSON: keys of what was not sent are left out, the HL7 null is null.
#include "../header_json.hpp"
#include "json_members.hpp"
#include "radscheduler/siu/reader.hpp"

namespace radscheduler {

using siu::member;

namespace {

void write(JsonWriter& json, const SiuSchedule& schedule) {
    json.begin_object();
    member(json, "filler_id", schedule.filler_id);
    member(json, "filler_namespace", schedule.filler_namespace);
    member(json, "placer_id", schedule.placer_id);
    member(json, "placer_namespace", schedule.placer_namespace);
    member(json, "occurrence", schedule.occurrence);
    member(json, "visit_group", schedule.visit_group);
    member(json, "event_reason", schedule.event_reason);
    member(json, "reason", schedule.reason);
    member(json, "type", schedule.type);
    member(json, "status", schedule.status);
    member(json, "starts_at", schedule.starts_at);
    member(json, "ends_at", schedule.ends_at);
    if (schedule.end_sent) {
        json.key("end_sent");
        json.boolean(true);
    }
    member(json, "duration_minutes", schedule.duration_minutes);
    member(json, "priority", schedule.priority);
    member(json, "placer_orders", schedule.placer_orders);
    member(json, "filler_orders", schedule.filler_orders);
    member(json, "parent_placer_id", schedule.parent_placer_id);
    member(json, "parent_filler_id", schedule.parent_filler_id);
    member(json, "modality", schedule.modality);
    member(json, "modality_words", schedule.modality_words);
    member(json, "placer_contact", schedule.placer_contact);
    member(json, "entered_by", schedule.entered_by);
    member(json, "notes", schedule.notes);
    json.end_object();
}

void write(JsonWriter& json, const SiuPatient& patient) {
    json.begin_object();
    if (!patient.identifiers.empty()) siu::write_identifiers(json, patient.identifiers);
    member(json, "family", patient.family);
    member(json, "given", patient.given);
    member(json, "middle", patient.middle);
    member(json, "suffix", patient.suffix);
    member(json, "prefix", patient.prefix);
    member(json, "display", patient.display);
    member(json, "birth_date", patient.birth_date);
    member(json, "sex", patient.sex);
    if (patient.phones_null) {
        json.key("phones");
        json.null();
    } else if (!patient.phones.empty()) {
        json.key("phones");
        json.begin_array();
        for (const SiuPhone& phone : patient.phones) {
            json.begin_object();
            json.member("value", phone.value);
            json.member("use", phone.use);
            json.member("equipment", phone.equipment);
            json.end_object();
        }
        json.end_array();
    }
    if (patient.deceased) {
        json.key("deceased");
        json.boolean(*patient.deceased);
    }
    member(json, "notes", patient.notes);
    json.end_object();
}

void write(JsonWriter& json, const SiuVisit& visit) {
    json.begin_object();
    member(json, "patient_class", visit.patient_class);
    member(json, "visit_number", visit.visit_number);
    member(json, "alternate_visit_id", visit.alternate_visit_id);
    member(json, "referring", visit.referring);
    member(json, "admission_type", visit.admission_type);
    const SiuLocation& location = visit.location;
    if (!location.point_of_care.absent() || !location.room.absent() || !location.bed.absent() ||
        !location.facility.absent()) {
        json.key("location");
        json.begin_object();
        member(json, "point_of_care", location.point_of_care);
        member(json, "room", location.room);
        member(json, "bed", location.bed);
        member(json, "facility", location.facility);
        json.end_object();
    }
    json.end_object();
}

// What services and resources have in common.
template <class Part>
void write_identity(JsonWriter& json, const Part& part) {
    json.key("group");
    json.number(part.group);
    if (part.is_out) {
        json.key("is_out");
        json.boolean(true);
    }
    member(json, "set_id", part.set_id);
    member(json, "action", part.action);
}

template <class Part>
void write_times(JsonWriter& json, const Part& part) {
    member(json, "starts_at", part.starts_at);
    member(json, "offset_minutes", part.offset_minutes);
    member(json, "duration_minutes", part.duration_minutes);
    member(json, "status", part.status);
    member(json, "notes", part.notes);
}

void write(JsonWriter& json, const SiuService& service) {
    json.begin_object();
    json.member("path", service.path);
    write_identity(json, service);
    member(json, "code", service.code);
    member(json, "text", service.text);
    member(json, "system", service.system);
    member(json, "alt_code", service.alt_code);
    member(json, "alt_text", service.alt_text);
    write_times(json, service);
    json.end_object();
}

void write(JsonWriter& json, const SiuResource& resource) {
    json.begin_object();
    json.member("path", resource.path);
    json.member("segment", resource.segment);
    write_identity(json, resource);
    member(json, "code", resource.code);
    member(json, "name", resource.name);
    member(json, "type_code", resource.type_code);
    member(json, "type_text", resource.type_text);
    member(json, "role", resource.role);
    member(json, "family", resource.family);
    member(json, "given", resource.given);
    member(json, "degree", resource.degree);
    member(json, "authority", resource.authority);
    member(json, "facility", resource.facility);
    member(json, "also", resource.also);
    write_times(json, resource);
    json.end_object();
}

void write(JsonWriter& json, const SiuFact& fact) {
    json.begin_object();
    json.member("path", fact.path);
    json.member("kind", fact.kind);
    if (!fact.code.empty()) json.member("code", fact.code);
    if (!fact.value.empty()) json.member("value", fact.value);
    if (!fact.unit.empty()) json.member("unit", fact.unit);
    if (!fact.severity.empty()) json.member("severity", fact.severity);
    if (!fact.observed_at.empty()) json.member("observed_at", fact.observed_at);
    if (fact.is_withdrawn) {
        json.key("is_withdrawn");
        json.boolean(true);
    }
    json.end_object();
}

void write_remark(JsonWriter& json, const std::string& code, const std::string& path, const std::string& text) {
    json.begin_object();
    json.member("code", code);
    json.member("path", path);
    json.member("text", text);
    json.end_object();
}

template <class Item>
void write_array(JsonWriter& json, std::string_view name, const std::vector<Item>& items) {
    json.key(name);
    json.begin_array();
    for (const Item& item : items)
        write(json, item);
    json.end_array();
}

} // namespace

std::string to_json(const SiuReading& reading) {
    JsonWriter json;
    json.begin_object();
    json.key("header");
    write_header(json, reading.header);
    if (reading.schedule) {
        json.key("schedule");
        write(json, *reading.schedule);
    }
    if (reading.patient) {
        json.key("patient");
        write(json, *reading.patient);
    }
    if (reading.visit) {
        json.key("visit");
        write(json, *reading.visit);
    }
    if (reading.schedule) {
        write_array(json, "services", reading.services);
        write_array(json, "resources", reading.resources);
    }
    if (reading.request) siu::write_request(json, *reading.request);
    if (reading.merges) siu::write_merges(json, *reading.merges);
    if (reading.orders) siu::write_orders(json, *reading.orders);
    if (!reading.facts.empty()) write_array(json, "facts", reading.facts);
    json.key("warnings");
    json.begin_array();
    for (const Warning& warning : reading.warnings)
        write_remark(json, warning.code, warning.path, warning.text);
    json.end_array();
    if (reading.error) {
        json.key("error");
        write_remark(json, reading.error->code, reading.error->path, reading.error->text);
    }
    json.end_object();
    return json.take();
}

} // namespace radscheduler
