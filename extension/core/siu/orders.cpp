// Reading ORC, OBR, TQ1 and IPC.
#include "orders.hpp"

#include "../segment_fields.hpp"
#include "person_name.hpp"
#include "time_field.hpp"

#include <initializer_list>

namespace radscheduler::siu {

namespace {

constexpr std::size_t kMaxOrders = 1000; // no real message reaches it

// The segments of one order; those that were not sent do not exist.
struct Draft {
    std::string path;
    std::string timing_path, common_path, request_path;
    SegmentFields common;    // ORC
    SegmentFields request;   // OBR
    SegmentFields timing;    // TQ1
    SegmentFields procedure; // IPC
    bool own_number = false; // OBR-2 and OBR-3 go before those of the ORC
};

std::string path_of(const Segment& segment) {
    return std::string(segment.name) + "[" + std::to_string(segment.occurrence) + "]";
}

// The first that was sent; the HL7 null counts as such.
Text first_sent(std::initializer_list<Text> texts) {
    for (const Text& text : texts) {
        if (!text.absent()) return text;
    }
    return {};
}

Text number_of(const Draft& draft, std::size_t field) {
    const Text common = draft.common.text(field);
    const Text request = draft.request.text(field);
    return draft.own_number ? first_sent({request, common}) : first_sent({common, request});
}

bool has_own_number(const SegmentFields& common, const SegmentFields& request) {
    for (const std::size_t field : {2U, 3U}) {
        const Text own = request.text(field);
        if (own.has_value() && common.text(field).has_value() && own.value != common.text(field).value) return true;
    }
    return false;
}

class Collector {
public:
    Collector(Context& context, const Delimiters& delimiters) : context_(context), delimiters_(delimiters) {}

    void take(const Segment& segment) {
        if (segment.name == "ORC") {
            if (Draft* const draft = begin(segment)) {
                draft->common = fields_of(segment);
                draft->common_path = draft->path;
            }
        } else if (segment.name == "OBR") {
            take_request(segment);
        } else if (segment.name == "TQ1" && !drafts_.empty() && !drafts_.back().timing.exists()) {
            drafts_.back().timing = fields_of(segment);
            drafts_.back().timing_path = path_of(segment);
        } else if (segment.name == "IPC" && !drafts_.empty() && !drafts_.back().procedure.exists()) {
            drafts_.back().procedure = fields_of(segment);
        }
    }

    const std::vector<Draft>& drafts() const { return drafts_; }

private:
    SegmentFields fields_of(const Segment& segment) const { return {segment.text, delimiters_}; }

    Draft* begin(const Segment& segment) {
        if (drafts_.size() == kMaxOrders) {
            if (!overflow_) {
                context_.warn("TOO_MANY_SEGMENTS", "ORC[1]",
                              "The message holds more orders than are read at once; the last ones were not read.");
            }
            overflow_ = true;
            return nullptr;
        }
        drafts_.emplace_back();
        drafts_.back().path = path_of(segment);
        return &drafts_.back();
    }

    void take_request(const Segment& segment) {
        if (overflow_) return;
        const SegmentFields request = fields_of(segment);
        if (drafts_.empty() || !drafts_.back().common.exists()) { // orders without ORC
            put_request(begin(segment), segment, request);
        } else if (!drafts_.back().request.exists()) {
            put_request(&drafts_.back(), segment, request);
        } else if (has_own_number(drafts_.back().common, request)) {
            const SegmentFields common = drafts_.back().common;
            const std::string common_path = drafts_.back().common_path;
            if (Draft* const draft = begin(segment)) {
                draft->common = common;
                draft->common_path = common_path;
                draft->own_number = true;
                put_request(draft, segment, request);
            }
        } else {
            context_.warn("EXTRA_SEGMENT", path_of(segment),
                          "A further OBR under the same order number was not read; send one ORC for each exam.");
        }
    }

    static void put_request(Draft* draft, const Segment& segment, const SegmentFields& request) {
        if (draft == nullptr) return;
        draft->request = request;
        draft->request_path = path_of(segment);
    }

    Context& context_;
    const Delimiters& delimiters_;
    std::vector<Draft> drafts_;
    bool overflow_ = false;
};

// TQ1-7, ORC-7.4, OBR-27.4, OBR-36: the first that can be used; those met before it are remarked.
Text wanted_at(Context& context, const Draft& draft) {
    struct Place {
        const SegmentFields& fields;
        const std::string& segment;
        std::size_t field, component;
    };
    const Place places[] = {{draft.timing, draft.timing_path, 7, 1},
                            {draft.common, draft.common_path, 7, 4},
                            {draft.request, draft.request_path, 27, 4},
                            {draft.request, draft.request_path, 36, 1}};
    for (const Place& place : places) {
        Text text = place.fields.text(place.field, place.component);
        if (text.null) return text;
        std::string path = place.segment + "-" + std::to_string(place.field);
        if (place.component > 1) path += "." + std::to_string(place.component);
        const TimeField time = read_time(context, text.value, std::move(path));
        remark_fault(context, time);
        if (time.stamp) return {false, time.stamp->iso()};
    }
    return {};
}

SiuOrder read_order(Context& context, const Draft& draft) {
    const SegmentFields& common = draft.common;
    const SegmentFields& request = draft.request;
    SiuOrder order;
    order.path = draft.path;
    order.control = common.text(1);
    order.placer_id = number_of(draft, 2);
    order.filler_id = number_of(draft, 3);
    order.group_id = common.text(4);
    order.status = common.text(5);
    order.code = first_sent({request.text(4, 1), request.text(4, 4)});
    order.text = first_sent({request.text(4, 2), request.text(4, 5)});
    order.accession = first_sent({request.text(18), draft.procedure.text(1)});
    order.modality = first_sent({request.text(24), draft.procedure.text(5)});
    order.priority = first_sent({draft.timing.text(9), common.text(7, 6), request.text(27, 6)});
    order.wanted_at = wanted_at(context, draft);
    order.ordered_by = first_sent({xcn_display(common, 12), xcn_display(request, 16)});
    order.reason = first_sent({request.text(31, 2), request.text(31, 1)});
    return order;
}

} // namespace

bool is_order(const MessageHeader& header) {
    return (header.message_code == "ORM" && header.trigger_event == "O01") ||
           (header.message_code == "OMI" && header.trigger_event == "O23");
}

std::vector<SiuOrder> read_orders(Context& context, const Message& message) {
    Collector collector(context, message.delimiters());
    SegmentCursor cursor = message.segments();
    for (Segment segment; cursor.next(segment);) {
        if (segment.name == "MSH" && segment.occurrence == 2) break;
        collector.take(segment);
    }
    std::vector<SiuOrder> orders;
    orders.reserve(collector.drafts().size());
    for (const Draft& draft : collector.drafts())
        orders.push_back(read_order(context, draft));
    return orders;
}

} // namespace radscheduler::siu
