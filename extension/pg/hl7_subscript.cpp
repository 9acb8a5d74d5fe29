// message['PID-5.1']: subscripts of the type hl7. One subscript, a path; the result is what hl7_get() gives. Nothing
// can be assigned through it: hl7_set() returns a changed message.
#include "guard.hpp"

extern "C" PGDLLEXPORT Datum rad_hl7_get(PG_FUNCTION_ARGS);

namespace radscheduler::pg {

namespace {

// Lives as long as the expression: hl7_get() with the path cache of its own that a plain call would have.
struct Workspace {
    FmgrInfo get;
};

void transform(SubscriptingRef* reference, List* indirection, ParseState* parse, bool is_slice, bool is_assignment) {
    auto* subscript = static_cast<A_Indices*>(linitial(indirection));
    if (is_slice || list_length(indirection) != 1 || subscript->uidx == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("a message takes one subscript, an HL7 path"),
                        errhint("Write message['PID-5.1'].")));
    }
    if (is_assignment) {
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("a message cannot be assigned to by subscript"),
                        errhint("Write message = hl7_set(message, 'PID-5.1', 'value').")));
    }
    Node* path = transformExpr(parse, subscript->uidx, parse->p_expr_kind);
    path = coerce_to_target_type(parse, path, exprType(path), TEXTOID, -1, COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1);
    if (path == nullptr) {
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("the subscript of a message must be text"),
                        errhint("Write message['PID-5.1'].")));
    }
    reference->refupperindexpr = list_make1(path);
    reference->reflowerindexpr = NIL;
    reference->refrestype = TEXTOID;
    reference->reftypmod = -1;
}

// A NULL path gives NULL.
bool check_subscripts(ExprState*, ExprEvalStep* step, ExprContext*) {
    const SubscriptingRefState* state = step->d.sbsref_subscript.state;
    if (!state->upperindexnull[0]) return true;
    *step->resnull = true;
    return false;
}

void fetch(ExprState*, ExprEvalStep* step, ExprContext*) {
    const SubscriptingRefState* state = step->d.sbsref.state;
    auto* workspace = static_cast<Workspace*>(state->workspace);
    LOCAL_FCINFO(call, 2);
    InitFunctionCallInfoData(*call, &workspace->get, 2, InvalidOid, nullptr, nullptr);
    call->args[0] = {*step->resvalue, false};
    call->args[1] = {state->upperindex[0], false};
    *step->resvalue = FunctionCallInvoke(call);
    *step->resnull = call->isnull;
}

void setup(const SubscriptingRef*, SubscriptingRefState* state, SubscriptExecSteps* methods) {
    auto* workspace = static_cast<Workspace*>(palloc0(sizeof(Workspace)));
    workspace->get.fn_addr = rad_hl7_get;
    workspace->get.fn_nargs = 2;
    workspace->get.fn_strict = true;
    workspace->get.fn_mcxt = CurrentMemoryContext;
    state->workspace = workspace;
    methods->sbs_check_subscripts = check_subscripts;
    methods->sbs_fetch = fetch;
    methods->sbs_assign = nullptr;
    methods->sbs_fetch_old = nullptr;
}

// A bad path is an error, so that a fetch is not leakproof.
const SubscriptRoutines routines = {transform, setup, true, false, false};

} // namespace

RAD_FUNCTION(rad_hl7_subscript) {
    *result = PointerGetDatum(&routines);
    return true;
}

} // namespace radscheduler::pg
