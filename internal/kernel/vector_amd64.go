//go:build !purego

package kernel

//go:generate go -C gen run . -set vector -out ../gen_vector_amd64.s -stubs ../gen_vector_amd64.go -pkg kernel

var vectorAVX2 = vectorKernel{
	silu: siluAVX2, softmax: softmaxAVX2, softmaxPair: softmaxPairAVX2, norm: normAVX2, normPair: normPairAVX2,
	add: addAVX2, rescale: rescaleAVX2, largestBits: largestBitsAVX2, quantize: quantizeAVX2,
}

var vectorAVX512 = vectorKernel{
	silu: siluAVX512, softmax: softmaxAVX512, softmaxPair: softmaxPairAVX512, norm: normAVX512, normPair: normPairAVX512,
	add: addAVX512, rescale: rescaleAVX512, largestBits: largestBitsAVX512, quantize: quantizeAVX512,
}
