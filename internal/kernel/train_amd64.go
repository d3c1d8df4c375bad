//go:build !purego

package kernel

//go:generate go -C gen run . -set train -out ../gen_train_amd64.s -stubs ../gen_train_amd64.go -pkg kernel

var trainAVX2 = trainKernel{
	siluBackward: siluBackwardAVX2, normSums: normSumsAVX2, normInput: normInputAVX2,
	dropout: dropoutAVX2, dequantize: dequantizeAVX2, scale: scaleAVX2, scaleEach: scaleEachAVX2,
	dotLanes: dotLanesAVX2, softmaxBackward: softmaxBackwardAVX2,
	codes: codesAVX2, codesEach: codesEachAVX2, signs: signsAVX2,
	absLanes: absLanesAVX2, addAbs: addAbsAVX2, largestEach: largestEachAVX2,
	squareLanes64: squareLanes64AVX2, adamW: adamWAVX2,
}

var trainAVX512 = trainKernel{
	siluBackward: siluBackwardAVX512, normSums: normSumsAVX512, normInput: normInputAVX512,
	dropout: dropoutAVX512, dequantize: dequantizeAVX512, scale: scaleAVX512, scaleEach: scaleEachAVX512,
	dotLanes: dotLanesAVX512, softmaxBackward: softmaxBackwardAVX512,
	codes: codesAVX512, codesEach: codesEachAVX512, signs: signsAVX512,
	absLanes: absLanesAVX512, addAbs: addAbsAVX512, largestEach: largestEachAVX512,
	squareLanes64: squareLanes64AVX512, adamW: adamWAVX512,
}
