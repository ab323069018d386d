/* Products that are one matrix multiplication (images and kernels of 1x1: linear layers), and CLBlast, which may do
 * them. The lanes of the batch are the columns: conv is W x, deconv W^T y, conv_weight y x^T.
 *
 * CLBlast's parameters hold for a device, in all of a process, and it keeps what it compiled by their values: going
 * from a set to another and back compiles nothing. What it had before the first set cannot be asked for by C programs,
 * and so not put back. */
#include <clblast_c.h>
#include <string.h>

#include "backend/opencl/opencl.h"

/* CLBlast multiplies floats: a product of what is stored as half is clave's own; so is one with a head, whose launches
 * have a place for what the head is of. */
static bool is_float(const clv_call *call)
{
    for (int i = 0; i < call->inputs; i++)
        if (call->in[i].space == CLV_SPACE_HALF) return false;
    return call->out.space != CLV_SPACE_HALF;
}

static bool one_pixel(const clv_shape *shape) { return shape->dim[1] == 1 && shape->dim[2] == 1; }

bool clv_cl_gemm_of(const clv_call *call, clv_cl_gemm *gemm)
{
    if (call->blocked) return false; /* a block is a part of one launch */
    if (clv_op_table[call->op].family != CLV_FAMILY_PRODUCT || call->attr.kernel > 1 || call->attr.pad != 0 ||
        call->attr.head || !is_float(call))
        return false;
    const clv_shape *first = &call->in[0].shape,
                    *second = call->op == CLV_OP_CONV_WEIGHT ? &call->in[1].shape : &call->out.shape;
    if (!one_pixel(first) || !one_pixel(second)) return false;
    const size_t x = (size_t)first->dim[0], y = (size_t)second->dim[0], lanes = (size_t)call->lanes;
    switch (call->op) {
    case CLV_OP_CONV: /* y[oc][n] = w[oc][ic] x[ic][n] */
        *gemm = (clv_cl_gemm){.m = y, .n = lanes, .k = x, .a = 1, .b = 0, .lda = x, .ldb = lanes, .ldc = lanes};
        return true;
    case CLV_OP_DECONV: /* x[ic][n] = w[oc][ic]^T y[oc][n]; here `first` is y */
        *gemm = (clv_cl_gemm){
            .m = y, .n = lanes, .k = x, .transpose_a = true, .a = 1, .b = 0, .lda = y, .ldb = lanes, .ldc = lanes};
        return true;
    default: /* w[oc][ic] = y[oc][n] x[ic][n]^T */
        *gemm = (clv_cl_gemm){
            .m = y, .n = x, .k = lanes, .transpose_b = true, .a = 1, .b = 0, .lda = lanes, .ldb = lanes, .ldc = x};
        return true;
    }
}

static CLBlastTranspose transposed(bool yes) { return yes ? CLBlastTransposeYes : CLBlastTransposeNo; }

/* CLBlast's codes are OpenCL's where they can be, and its own below -1000. */
static clv_status check(CLBlastStatusCode code, const char *call, clv_error *err)
{
    if (code == CLBlastSuccess) return CLV_OK;
    if ((int)code > -1000) return clv_cl_fail(err, call, (cl_int)code);
    return clv_fail(err, CLV_ERR_DEVICE, "%s: error %d of CLBlast; set device.gemm = own", call, (int)code);
}

/* ---- parameters ---- */

#define MOST_DEVICES 64

/* The sets in force, of the devices that were given any. */
static struct {
    cl_device_id device;
    clv_gemm_set set; /* CLBlast's own: unknown, as putting one in force failed half way */
} in_force[MOST_DEVICES];
static int devices;

static clv_status override(cl_device_id device, const char *kernel, const clv_gemm_set *set, clv_error *err)
{
    const char *name[CLV_GEMM_PARAMETERS];
    size_t value[CLV_GEMM_PARAMETERS], count = 0;
    for (int i = 0; i < CLV_GEMM_PARAMETERS; i++)
        if (!strcmp(clv_gemm_parameter_kernels[i], kernel)) {
            name[count] = clv_gemm_parameter_names[i];
            value[count++] = (size_t)set->value[i];
        }
    const CLBlastStatusCode code =
        clv_cl_made_to_fail() ? CLBlastOpenCLOutOfResources
                              : CLBlastOverrideParameters(device, kernel, CLBlastPrecisionSingle, count, name, value);
    return check(code, "CLBlastOverrideParameters", err);
}

/* Before each call of CLBlast, as another program may have put another set in force. */
static clv_status put_in_force(cl_command_queue queue, const clv_gemm_set *set, clv_error *err)
{
    static const char *const kernels[] = {"XgemmDirect", "Xgemm", "GemmRoutine"};
    clv_status status = CLV_OK;
    cl_device_id device;
    const bool own = clv_gemm_set_is_own(set);
    int i = 0;
    if (own && devices == 0) return CLV_OK;
    CLV_CL(clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL));
    while (i < devices && in_force[i].device != device) i++;
    if (own && i == devices) return CLV_OK;
    CLV_REQUIRE(
        !own, CLV_ERR_DEVICE,
        "CLBlast's own parameters are gone from a process that has put others in their place; start clave anew");
    if (i < devices && clv_gemm_set_equal(&in_force[i].set, set)) return CLV_OK;
    CLV_REQUIRE(i < MOST_DEVICES, CLV_ERR_DEVICE, "CLBlast has its own parameters on %d devices at most", MOST_DEVICES);
    if (i == devices) in_force[devices++].device = device;
    in_force[i].set = (clv_gemm_set){{0}};
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) CLV_TRY(override(device, kernels[k], set, err));
    in_force[i].set = *set;
done:
    return status;
}

/* ---- products ---- */

clv_status clv_cl_gemm_scratch(clv_opencl *be, const clv_cl_gemm *g, size_t *bytes, clv_error *err)
{
    clv_status status = put_in_force(be->queue, &g->set, err);
    if (status != CLV_OK) return status;
    const CLBlastStatusCode code =
        clv_cl_made_to_fail()
            ? CLBlastOpenCLOutOfResources
            : CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, transposed(g->transpose_a), transposed(g->transpose_b),
                                         g->m, g->n, g->k, 0, g->lda, 0, g->ldb, 0, g->ldc, &be->queue, bytes);
    return check(code, "CLBlastSGemmTempBufferSize", err);
}

clv_status clv_cl_gemm_run(cl_command_queue queue, const clv_cl_gemm *g, cl_mem a, cl_mem b, cl_mem c, cl_mem scratch,
                           cl_event *event, clv_error *err)
{
    clv_status status = put_in_force(queue, &g->set, err);
    if (status != CLV_OK) return status;
    const CLBlastStatusCode code =
        clv_cl_made_to_fail()
            ? CLBlastOpenCLOutOfResources
            : CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, transposed(g->transpose_a), transposed(g->transpose_b),
                                         g->m, g->n, g->k, 1.0f, a, 0, g->lda, b, 0, g->ldb, 0.0f, c, 0, g->ldc, &queue,
                                         event, scratch);
    return check(code, "CLBlastSgemm", err);
}
