// The segments of a message as rows, and how many rows the planner should expect.
#include <algorithm>

#include "radscheduler/message.hpp"

#include "rows.hpp"
#include "stored_message.hpp"

namespace radscheduler::pg {

namespace {

// Of real messages; a guess for a message that is no constant takes the average width of its column.
constexpr double kBytesPerSegment = 60.0;
constexpr double kUnknownWidthSegments = 10.0;

Rows list_segments(const Message& message) {
    Segment segment;
    std::size_t count = 0;
    for (SegmentCursor cursor = message.segments(); cursor.next(segment);)
        ++count;
    RowBuilder rows(4, count);
    std::size_t ordinal = 0;
    for (SegmentCursor cursor = message.segments(); cursor.next(segment);) {
        rows.integer(++ordinal);
        rows.text(segment.name);
        rows.integer(segment.occurrence);
        rows.text(segment.text);
    }
    return rows.take();
}

double count_of(const Message& message) {
    const std::string_view text = message.text();
    return static_cast<double>(std::count(text.begin(), text.end(), '\r'));
}

// Average stored width of a plain column, in bytes; 0 when it is not known (no column, no statistics yet).
int column_width(const SupportRequestRows* request, const Node* argument) {
    if (!IsA(argument, Var) || request->root == nullptr) return 0;
    const auto* column = reinterpret_cast<const Var*>(argument);
    if (column->varlevelsup != 0 || column->varno <= 0 || column->varattno <= 0) return 0;
    const RangeTblEntry* table = planner_rt_fetch(column->varno, request->root);
    return table->rtekind == RTE_RELATION ? get_attavgwidth(table->relid, column->varattno) : 0;
}

} // namespace

RAD_FUNCTION(rad_hl7_segments) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const Rows rows = list_segments(open_stored(value));
    return_rows(fcinfo, rows);
    *result = 0;
    return true;
}

// Answers SupportRequestRows for hl7_segments(message).
RAD_FUNCTION(rad_hl7_segments_support) {
    *result = PointerGetDatum(nullptr);
    auto* node = reinterpret_cast<Node*>(PG_GETARG_POINTER(0));
    if (!IsA(node, SupportRequestRows)) return true;
    auto* request = reinterpret_cast<SupportRequestRows*>(node);
    if (!IsA(request->node, FuncExpr)) return true;
    auto* argument = static_cast<Node*>(linitial(reinterpret_cast<const FuncExpr*>(request->node)->args));
    argument = estimate_expression_value(request->root, argument);
    if (IsA(argument, Const)) {
        const auto* constant = reinterpret_cast<const Const*>(argument);
        if (constant->constisnull) {
            request->rows = 0;
        } else {
            request->rows =
                count_of(open_stored(reinterpret_cast<struct varlena*>(PG_DETOAST_DATUM_PACKED(constant->constvalue))));
        }
    } else {
        const int width = column_width(request, argument);
        request->rows = width > 0 ? std::max(1.0, width / kBytesPerSegment) : kUnknownWidthSegments;
    }
    *result = PointerGetDatum(request);
    return true;
}

} // namespace radscheduler::pg
