/* Products that are one matrix multiplication (images and kernels of 1x1: linear layers), and CLBlast, which may do
 * them. The lanes of the batch are the columns: conv is W x, deconv W^T y, conv_weight y x^T. */
#include <clblast_c.h>

#include "backend/opencl/opencl.h"

/* CLBlast multiplies floats: a product of what is stored as half is clave's own. */
static bool is_float(const clv_call *call)
{
    for (int i = 0; i < call->inputs; i++)
        if (call->in[i].space == CLV_SPACE_HALF) return false;
    return call->out.space != CLV_SPACE_HALF;
}

static bool one_pixel(const clv_shape *shape) { return shape->dim[1] == 1 && shape->dim[2] == 1; }

bool clv_cl_gemm_of(const clv_call *call, clv_cl_gemm *gemm)
{
    if (clv_op_table[call->op].family != CLV_FAMILY_PRODUCT || call->attr.kernel > 1 || call->attr.pad != 0 ||
        !is_float(call))
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

clv_status clv_cl_gemm_scratch(clv_opencl *be, const clv_cl_gemm *g, size_t *bytes, clv_error *err)
{
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
    const CLBlastStatusCode code =
        clv_cl_made_to_fail()
            ? CLBlastOpenCLOutOfResources
            : CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, transposed(g->transpose_a), transposed(g->transpose_b),
                                         g->m, g->n, g->k, 1.0f, a, 0, g->lda, b, 0, g->ldb, 0.0f, c, 0, g->ldc, &queue,
                                         event, scratch);
    return check(code, "CLBlastSgemm", err);
}
