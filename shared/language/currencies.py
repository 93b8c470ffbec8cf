"""How many decimals each currency has: ISO 4217, list one, and what was withdrawn since 1999.

Withdrawn currencies stay known, since a backfill may carry years of them. Codes without a minor
unit (gold, test codes, baskets of currencies) are no money that anybody pays with, and are left
out.
"""

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

_WITHDRAWN_NONE = "BEF BYR ESP GRD ITL LUF PTE TRL"
_WITHDRAWN_TWO = """
ANG ATS AZM BGN CSD CUC CYP DEM EEK FIM FRF GHC HRK IEP LTL LVL MRO MTL MZM NLG ROL SDD SIT SKK SLL
SRG STD TMM VEB VEF ZMK ZWD ZWL
"""

DECIMALS: dict[str, int] = {
    code: places
    for places, codes in (
        (0, _NONE + " " + _WITHDRAWN_NONE),
        (2, _TWO + " " + _WITHDRAWN_TWO),
        (3, _THREE),
        (4, _FOUR),
    )
    for code in codes.split()
}
