"""Codes of every kind to labels."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.language_registry import UnknownCode, UnknownScript, all_languages, resolve
from glotmill.language_registry.scripts import all_scripts

FLORES_200 = """
ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn als_Latn amh_Ethi apc_Arab
arb_Arab arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn
bak_Cyrl bam_Latn ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn
bug_Latn bul_Cyrl cat_Latn ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn
dik_Latn dyu_Latn dzo_Tibt ell_Grek eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn
fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn gaz_Latn gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr
hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn hye_Armn ibo_Latn ilo_Latn ind_Latn
isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda kas_Arab kas_Deva kat_Geor
kaz_Cyrl kbp_Latn kea_Latn khk_Cyrl khm_Khmr kik_Latn kin_Latn kir_Cyrl kmb_Latn kmr_Latn knc_Arab
knc_Latn kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn
lua_Latn lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Arab min_Latn
mkd_Cyrl mlt_Latn mni_Beng mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn
nus_Latn nya_Latn oci_Latn ory_Orya pag_Latn pan_Guru pap_Latn pbt_Arab pes_Arab plt_Latn pol_Latn
por_Latn prs_Arab quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Olck scn_Latn shn_Mymr
sin_Sinh slk_Latn slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn srd_Latn srp_Cyrl
ssw_Latn sun_Latn swe_Latn swh_Latn szl_Latn tam_Taml taq_Latn taq_Tfng tat_Cyrl tel_Telu tgk_Cyrl
tgl_Latn tha_Thai tir_Ethi tpi_Latn tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng
uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr
yor_Latn yue_Hant zho_Hans zho_Hant zsm_Latn zul_Latn
"""

WIKIPEDIA = """
aa ab ace ady af ak als alt am ami an ang anp ar arc ary arz as ast atj av avk awa ay az azb ba ban
bar bat-smg bbc bcl bdr be be-tarask be-x-old bew bg bh bi bjn blk bm bn bo bpy br bs btm bug bxr
ca cbk-zam cdo ce ceb ch cho chr chy ckb co cr crh cs csb cu cv cy da dag de dga din diq dsb dtp
dty dv dz ee el eml en eo es et eu ext fa fat ff fi fiu-vro fj fo fon fr frp frr fur fy ga gag gan
gcr gd gl glk gn gom gor got gpe gsw gu guc gur guw gv ha hak haw he hi hif ho hr hsb ht hu hy hyw
hz ia iba id ie ig igl ii ik ilo inh io is it iu ja jam jbo jv ka kaa kab kaj kbd kbp kcg kg kge ki
kj kk kl km kn knc ko koi kr krc ks ksh ku kus kv kw ky la lad lb lbe lez lfn lg li lij lld lmo ln
lo lrc lt ltg lv lzh mad mai map-bms mdf mg mh mhr mi min mk ml mn mni mnw mos mr mrj ms mt mus mwl
my myv mzn na nah nan nap nds nds-nl ne new ng nia nl nn no nov nqo nr nrm nso nup nv ny oc olo om
or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rki rm rmy rn ro roa-rup
roa-tara rsk ru rue rup rw sa sah sat sc scn sco sd se sg sgs sh shi shn si simple sk skr sl sm smn
sn so sq sr srn ss st stq su sv sw syl szl szy ta tay tcy tdd te tet tg th ti tig tk tl tly tn to
tok tpi tr trv ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi vls vo vro wa war wo wuu xal xh
xmf yi yo yue za zea zgh zh zh-classical zh-min-nan zh-yue zu
"""

OPUS = """
ab ach acm ady ae af aln am an ang aoz ar ar_SY ar_TN arq ary arz as ast awa ay az az_IR ba bal bar
be be@latin ber bg bg_BG bho bhs bi bm bn bn_IN bo br brx bs bs_BA bua byn ca ca@valencia ca_ES cbk
ce ceb cjk cmn co crh crp cs cs_CZ csb cv cy da da_DK de de_AT de_CH dsb dtp dv dz ee el el_GR en
en@shaw en_CA en_GB en_ZA eo es es_AR es_CL es_419 et eu fa fa_AF fa_IR ff fi fil fj fo fr fr_CA frm
frp fur fy ga gay gd gl gn gos grc gsw gu gv ha haw he hi hil hne hr hsb ht hu hy hz ia id ie ig io
is it iu ja jbo jv jw ka kab kg ki kk kl km kn ko kok kr ks ku kw ky la lad lb lg li lld ln lo lt lv
mai mg mh mhr mi mk ml mn mni mo mr ms ms_MY mt mus my nah nan nap nb nb_NO nds ne ng nhn nl nl_BE
nn nn_NO no no_nb nr nso nv ny oc om or orv os pa pap pi pl pms pmy pnb prg ps pt pt_BR pt_PT qu quz
rm rn ro rom ru rue rw sa sah sc scn sco sd se sg sgn sh shn shs si sk sl sm sml sn so son sq sr
sr@ijekavian sr@ijekavianlatin sr@latin sr_ME ss st sv sw szl ta ta_LK te tet tg tg_TJ th ti tk tl
tl_PH tlh tn toki tpi tpw tr tr_TR ts tt tt@iqtelif tzl ug uk ur ur_PK uz uz@cyrillic ve vec vi
vi_VN wa wae wal wo xal xh yi yo za ze_en ze_zh zh zh_CN zh_HK zh_TW zhs zht zlm zsm zu zza
"""

OTHERS = """
en_XX pt_XX ar_AR he_IL tl_XX my_MM sw_KE cb_IQ cx_PH ns_ZA qa_MM qd_MM sz_PL tz_MA zz_TR iu_CA
bn_rom hi_rom my_zaw zh-Hans ns qd_MM ms_Arab_BN nan_Latn_TW tly_IR el_CY az_RU ff_Adlm hi-Latn
mni-Mtei jw iw
"""

RESOLVED = {
    # ISO 639-1, 639-2 and 639-3: the code that ISO assigns, macrolanguages kept
    "sw": "swa_Latn", "swa": "swa_Latn", "swh": "swh_Latn", "fa": "fas_Arab", "per": "fas_Arab",
    "zh": "zho_Hani", "chi": "zho_Hani", "cmn": "cmn_Hani", "no": "nor_Latn", "sh": "hbs_Latn",
    "ger": "deu_Latn", "ja": "jpn_Jpan", "ko": "kor_Hang", "az": "aze_Latn", "mn": "mon_Cyrl",
    # BCP 47
    "zh-TW": "zho_Hant", "zh-CN": "zho_Hans", "zh-SG": "zho_Hans", "zh-Hant-HK": "zho_Hant",
    "cmn-TW": "cmn_Hant", "pt-BR": "por_Latn", "sr-ME": "srp_Latn", "pa-PK": "pan_Arab",
    "uz-AF": "uzb_Arab", "az-IR": "aze_Arab", "zh-Latn-pinyin": "zho_Latn", "en-x-foo": "eng_Latn",
    "zh-cmn-Hans": "cmn_Hans", "sgn-ase": "ase_Sgnw", "i-klingon": "tlh_Latn", "es-419": "spa_Latn",
    "de-1996": "deu_Latn", "en-GB-oed": "eng_Latn", "zh-yue": "yue_Hant", "ar-arz": "arz_Arab",
    "bo-pinyin": "bod_Latn", "sr-ekavsk": "srp_Cyrl", "zho-yue": "yue_Hani", "ms-min": "min_Latn",
    "nan-latn-tailo": "nan_Latn", "nan-pehoeji": "nan_Latn", "zh-CHS": "zho_Hans",
    "zh-CHT": "zho_Hant", "sr-latin": "srp_Latn", "en-Qaaa": "eng_Qaaa", "und_Qabx": "und_Qabx",
    # locales
    "sr@latin": "srp_Latn", "sr_RS.UTF-8@latin": "srp_Latn", "uz_UZ@cyrillic": "uzb_Cyrl",
    "ca@valencia": "cat_Latn", "tt_RU@iqtelif": "tat_Latn", "be_BY.UTF-8@latin": "bel_Latn",
    "pt_BR": "por_Latn", "zh_Tw": "zho_Hant",
    # MediaWiki and Wikipedia
    "sr-ec": "srp_Cyrl", "sr-el": "srp_Latn", "be-tarask": "bel_Cyrl", "be-x-old": "bel_Cyrl",
    "roa-tara": "nap_Latn", "hu-formal": "hun_Latn", "kk-arab": "kaz_Arab", "ku-latn": "kur_Latn",
    "fiu-vro": "vro_Latn", "map-bms": "jav_Latn", "zh-min-nan": "nan_Latn", "simple": "eng_Latn",
    # OPUS
    "cn": "zho_Hani", "jp": "jpn_Jpan", "eng-simple": "eng_Latn", "gr": "ell_Grek",
    "no_nb": "nob_Latn", "en@shaw": "eng_Shaw", "cb_IQ": "ckb_Arab", "tl_ST": "tlh_Latn",
    "ns": "nso_Latn", "hi_rom": "hin_Latn", "my_zaw": "mya_Mymr", "en_XX": "eng_Latn",
    "ms_Arab_BN": "msa_Arab",
    "ze_zh": "zho_Hani", "zhtrad": "zho_Hant", "sr_Latn": "srp_Latn",
    # labels of data sets and models
    "__label__eng_Latn": "eng_Latn", "jpn_Japn": "jpn_Jpan", "kor_Kore": "kor_Hang",
    "deu_Latf": "deu_Latn", "zho_Hani": "zho_Hani", "rus_Latn": "rus_Latn",
    "jpn_Hira": "jpn_Jpan", "kor_Hani": "kor_Hani", "ENG_LATN": "eng_Latn",
    # retired, collective, special and private
    "iw": "heb_Hebr", "in": "ind_Latn", "mo": "ron_Latn", "mol": "ron_Latn", "scc": "srp_Cyrl",
    "ajp_Arab": "apc_Arab", "kzj": "dtp_Latn", "eml": "eml_Latn", "bh": "bih_Deva",
    "nah": "nah_Latn", "roa": "roa_Latn", "ber_Tfng": "ber_Tfng", "und": "und_Zyyy",
    "zxx_Zyyy": "zxx_Zyyy", "mul": "mul_Zyyy", "mis_Latn": "mis_Latn", "qaa": "qaa_Zyyy",
    "qtz_Latn": "qtz_Latn", "qqq": "qqq_Zyyy",
}  # fmt: skip


@pytest.mark.parametrize(("code", "label"), RESOLVED.items())
def test_code_resolves_to_label(code, label):
    found = resolve(code)
    assert found.label == label
    assert found.original_code == code
    assert f"{found.language}_{found.script}" == label


def test_flores_labels_are_kept_but_the_retired_one():
    codes = FLORES_200.split()
    assert len(codes) == len(set(codes)) == 204
    changed = {code: resolve(code).label for code in codes if resolve(code).label != code}
    assert changed == {"ajp_Arab": "apc_Arab"}
    assert all(resolve(code).certainty == "exact" for code in codes if code not in changed)


@pytest.mark.parametrize("code", WIKIPEDIA.split())
def test_every_wikipedia_has_a_label_with_a_script(code):
    found = resolve(code)
    assert re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", found.label)
    assert found.script != "Zyyy"


@pytest.mark.parametrize("code", [*OPUS.split(), *OTHERS.split()])
def test_every_code_of_large_collections_has_a_label(code):
    assert re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", resolve(code).label)


@pytest.mark.parametrize(
    ("code", "hint", "label", "certainty"),
    [
        ("aze", "Cyrl", "aze_Cyrl", "exact"),
        ("az", "Cyrl", "aze_Cyrl", "alias"),
        ("zh", "Hans", "zho_Hans", "alias"),
        ("zh", "Hani", "zho_Hani", "alias"),
        ("zh-TW", "Hani", "zho_Hant", "alias"),
        ("zh-TW", "Hans", "zho_Hans", "alias"),
        ("ja", "Hira", "jpn_Jpan", "alias"),
        ("ja", "Hani", "jpn_Jpan", "alias"),
        ("ja", "Hant", "jpn_Jpan", "alias"),
        ("ja", "Hans", "jpn_Jpan", "alias"),
        ("ja", "Latn", "jpn_Latn", "assumed"),
        ("ko", "Kore", "kor_Hang", "alias"),
        ("ru", "Thai", "rus_Thai", "assumed"),
        ("ru", "Zyyy", "rus_Cyrl", "assumed"),
        ("srp_Latn", "Cyrl", "srp_Latn", "exact"),
        ("ur", "Aran", "urd_Arab", "alias"),
        ("und", "Latn", "und_Latn", "exact"),
    ],
)
def test_recognised_script_fills_in(code, hint, label, certainty):
    found = resolve(code, script=hint)
    assert (found.label, found.certainty) == (label, certainty)


def test_unknown_hint_is_refused():
    with pytest.raises(UnknownScript, match="unknown script 'Latin'"):
        resolve("eng", script="Latin")


def test_assumptions_are_told():
    assert resolve("swa").assumed == ("script Latn: the main script of swa",)
    assert resolve("zh-TW").assumed == ("script Hant: the script of zho in TW",)
    assert resolve("zh").assumed == ("script Hani: zho names neither Hans nor Hant",)
    assert "retired" in resolve("eml_Latn").assumed[0]
    assert "Tarantino" in resolve("roa-tara").assumed[0]
    assert resolve("ru", script="Thai").assumed == (
        "script Thai: recognised, though not known for rus",
    )


@pytest.mark.parametrize("code", ["de-newvar", "de-DE-1a2b"])
def test_a_variant_that_is_not_known_is_told(code):
    found = resolve(code, script="Latn")
    variant = code.rpartition("-")[2]
    assert (found.label, found.variants) == ("deu_Latn", (variant,))
    assert found.assumed == (f"variant {variant}: not known, and so not read",)


def test_region_and_variants_are_kept_beside_the_label():
    found = resolve("ca-ES-valencia")
    assert (found.region, found.variants) == ("ES", ("valencia",))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("swahilli", "unknown language code 'swahilli'; did you mean 'swa' (Swahili)?"),
        ("chinese", "unknown language code 'chinese'; did you mean 'zho' (Chinese)?"),
        ("en-Ltan", "unknown script 'ltan' in language code 'en-Ltan'; did you mean 'Latn'"),
        ("swz_Latn", "unknown language code 'swz' in 'swz_Latn'; did you mean 'ssw' (Swati)"),
        ("xx_Latn", "unknown language code 'xx' in 'xx_Latn'; give a code of ISO 639 or BCP 47"),
        ("eng_Latn_foo", "unknown part 'foo' in language code 'eng_Latn_foo'; give a code of ISO"),
        ("en-UU", "unknown part 'uu' in language code 'en-UU'"),
        (
            "zh-min",
            "part 'min' of language code 'zh-min' means Minangkabau, which may follow 'ms', not "
            "'zh'; give 'min' or 'zh'",
        ),
        (
            "arb-arb-vd",
            "part 'arb' of language code 'arb-arb-vd' means Standard Arabic, which may follow "
            "'ar', not 'arb'; give 'arb'",
        ),
        ("en-yue", "part 'yue' of language code 'en-yue' means Yue Chinese, which may follow 'zh'"),
        ("zh-cmn-yue", "part 'yue' of language code 'zh-cmn-yue' means Yue Chinese, which may"),
        ("en-Qaby", "unknown script 'qaby' in language code 'en-Qaby'"),
        ("", "unknown language code ''; give a code of ISO 639"),
        ("  ", "unknown language code ''"),
        ("123", "unknown language code '123'; give a code"),
        ("__label__", "unknown language code ''"),
        ("bih-ext-foo", "unknown part"),
        ("x-private", "unknown language code 'x'"),
    ],
)
def test_unknown_codes_are_refused_with_advice(code, message):
    with pytest.raises(UnknownCode) as caught:
        resolve(code)
    assert str(caught.value).startswith(message)


def test_unknown_code_is_a_value_error():
    with pytest.raises(ValueError, match="unknown language code"):
        resolve("nonsense-code")


LANGUAGES = st.sampled_from([each.iso639_3 for each in all_languages()])
SCRIPTS = st.sampled_from([each.code for each in all_scripts()])


@given(LANGUAGES, SCRIPTS | st.none())
def test_a_label_resolves_to_itself(code, script):
    label = resolve(code, script=script).label
    again = resolve(label)
    assert again.label == label
    assert "script" not in " ".join(again.assumed)


def test_the_label_of_every_language_resolves_to_itself():
    labels = {resolve(each.iso639_3).label for each in all_languages()}
    assert {label for label in labels if resolve(label).label != label} == set()


@given(LANGUAGES, SCRIPTS)
def test_case_and_separator_do_not_matter(code, script):
    label = resolve(f"{code}_{script}").label
    assert resolve(f"{code}-{script}".upper()).label == label
    assert resolve(f" __label__{code}_{script} ").label == label


@given(st.text(max_size=12))
def test_any_text_gives_a_label_or_an_unknown_code(text):
    try:
        label = resolve(text).label
    except UnknownCode:
        return
    assert re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", label)


@pytest.mark.data
def test_labels_of_mala(data_folder: Path):
    with (data_folder / "published" / "mala_monolingual_counts.csv").open() as file:
        labels = [row["lang_code"] for row in csv.DictReader(file)]
    assert len(labels) == 939
    changed = {label: resolve(label).label for label in labels if resolve(label).label != label}
    assert changed == {"jpn_Japn": "jpn_Jpan", "ajp_Arab": "apc_Arab"}


@pytest.mark.data
def test_labels_of_the_data_set(data_folder: Path):
    lines = (data_folder / "STATS.tsv").read_text().splitlines()[1:]
    labels = [line.split("\t")[0] for line in lines]
    assert len(labels) > 600
    assert [label for label in labels if resolve(label).label != label] == KEPT_OTHERWISE


KEPT_OTHERWISE: list[str] = []


@pytest.mark.data
@pytest.mark.parametrize(
    ("pattern", "code_of"),
    [
        ("bitext/json_i18n_ve/*.json", lambda name: name[:-5]),
        ("bitext/po_drf/*.po", lambda name: name[:-3]),
        ("bitext/tsv_gatitos/*.tsv.zst", lambda name: name[3:].split(".")[0]),
        ("bitext/xliff_symfony/*.xlf", lambda name: name.split(".")[1]),
    ],
)
def test_codes_in_file_names(data_folder: Path, pattern, code_of):
    codes = [code_of(path.name) for path in data_folder.glob(pattern)]
    assert len(codes) > 50
    assert all(resolve(code).label for code in codes)


@pytest.mark.data
def test_tags_of_the_declaration_of_human_rights(data_folder: Path):
    index = (data_folder / "mono" / "udhr_xml" / "index.xml").read_text(encoding="utf-8")
    entries = [dict(re.findall(r"([\w-]+)='([^']*)'", line)) for line in index.splitlines()]
    entries = [entry for entry in entries if entry.get("bcp47")]
    assert len(entries) > 500
    wrong = [
        entry["bcp47"]
        for entry in entries
        if resolve(entry["bcp47"], script=entry["iso15924"]).script
        not in (entry["iso15924"], {"Kore": "Hang"}.get(entry["iso15924"]))
    ]
    assert wrong == []
